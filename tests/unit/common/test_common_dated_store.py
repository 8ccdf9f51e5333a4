"""Raw content goes when its days are over, and not before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gyre_common import dated_store
from gyre_common.dated_store import DatedStore, expire_hourly
from gyre_common.errors import NotFound, Retryable
from gyre_common.store import Store

from tests.eventually import eventually

NIGHT = datetime(2026, 1, 5, 23, 59, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NIGHT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def zone(tmp_path: Path, clock: Clock) -> DatedStore:
    return DatedStore(f"file://{tmp_path}/store/raw", clock)


async def test_content_is_there_until_its_days_are_over(
    zone: DatedStore, tmp_path: Path, clock: Clock
) -> None:
    ref = await zone.put(b"tea")
    clock.now += timedelta(days=6)
    assert await zone.expire(7) == 0
    assert await Store(f"file://{tmp_path}/store").get(ref.uri, ref.digest) == b"tea"
    clock.now += timedelta(minutes=1)
    assert await zone.expire(7) == 1
    assert await zone.expire(7) == 0
    with pytest.raises(NotFound):
        await Store(f"file://{tmp_path}/store").get(ref.uri, ref.digest)
    assert zone.holds(ref.uri)


async def test_what_is_put_again_stays_from_then_on(
    zone: DatedStore, tmp_path: Path, clock: Clock
) -> None:
    first = await zone.put(b"tea")
    clock.now += timedelta(days=5)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"t"
        yield b"ea"

    second = await zone.put_stream(pieces())
    clock.now += timedelta(days=3)
    assert await zone.expire(7) == 1
    assert second.digest == first.digest
    assert await Store(f"file://{tmp_path}/store").get(second.uri, second.digest) == b"tea"


async def test_what_lies_beside_it_stays(zone: DatedStore, tmp_path: Path, clock: Clock) -> None:
    ref = await zone.put(b"tea")
    beside = [tmp_path / "store" / name for name in ("raw/sha256/ab", "sha256/cd")]
    for path in beside:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    clock.now += timedelta(days=100)
    assert await zone.expire(7) == 1
    assert all(path.exists() for path in beside)
    assert not zone.holds(f"file://{tmp_path}/store/sha256/cd")
    assert zone.holds(ref.uri)


async def test_what_was_put_before_a_day_is_listed_with_its_sizes_and_deleted_by_name(
    zone: DatedStore, clock: Clock
) -> None:
    first, shared = await zone.put(b"tea"), await zone.put(b"milk")
    clock.now += timedelta(minutes=1)
    await zone.put(b"milk")
    assert await zone.put_before(NIGHT.date()) == {}
    assert await zone.put_before(clock.now.date()) == {first.uri: 3, shared.uri: 4}
    for _ in range(2):
        await zone.delete(shared.uri)
    assert await zone.put_before(clock.now.date()) == {first.uri: 3}
    assert len(await zone.put_before(clock.now.date() + timedelta(days=1))) == 2


async def test_a_store_out_of_reach_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    class Flaky(DatedStore):
        async def expire(self, days: int) -> int:
            looks.append(days)
            if len(looks) == 1:
                raise Retryable("the store is out of reach")
            return 0

    monkeypatch.setattr(dated_store, "_BETWEEN_LOOKS", 0.01)
    task = asyncio.create_task(expire_hourly([Flaky("file:///nowhere/raw")], 7))
    await eventually(lambda: len(looks) >= 3)
    task.cancel()
    assert set(looks) == {7}
