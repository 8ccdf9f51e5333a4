"""What may work later is tried again, and nothing else."""

import pytest
from gyre_common.errors import Poison, Retryable, Unavailable
from gyre_common.retrying import retry


class Failing:
    """Fails as given, one call after the other; then it works."""

    def __init__(self, *failures: Exception) -> None:
        self.calls = 0
        self._failures = list(failures)

    async def __call__(self) -> str:
        self.calls += 1
        if self._failures:
            raise self._failures.pop(0)
        return "done"


async def test_pauses_double_up_to_the_longest_and_each_is_reported() -> None:
    call = Failing(*(Unavailable(f"down {n}") for n in range(4)))
    pauses: list[tuple[str, float]] = []
    answer = await retry(
        lambda: call(),
        Retryable,
        first=0.001,
        longest=0.003,
        on_pause=lambda failure, pause: pauses.append((str(failure), pause)),
    )
    assert answer == "done"
    assert pauses == [("down 0", 0.001), ("down 1", 0.002), ("down 2", 0.003), ("down 3", 0.003)]


async def test_another_failure_is_raised_at_once() -> None:
    call = Failing(Poison("never"))
    with pytest.raises(Poison, match="never"):
        await retry(call, Retryable, first=0.001, longest=0.001)
    assert call.calls == 1


async def test_the_last_failure_is_raised_when_no_time_is_left_for_a_pause() -> None:
    call = Failing(Unavailable("down"), Unavailable("still down"))
    with pytest.raises(Unavailable, match=r"^down$"):
        await retry(call, Retryable, first=60, longest=60, seconds=30)
    assert call.calls == 1


async def test_how_long_it_is_tried_may_depend_on_the_failure() -> None:
    call = Failing(Retryable("loading"), Unavailable("down"))
    with pytest.raises(Unavailable, match="down"):
        await retry(
            call,
            Retryable,
            first=0.001,
            longest=0.001,
            seconds=lambda failure: 0 if isinstance(failure, Unavailable) else 60,
        )
    assert call.calls == 2
