"""Changes come one at a time, and none is believed before it is safe on the topic."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from gyre_common.errors import Conflict, InvalidInput, NotFound, Unavailable
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_trainer.release_book import Changes, ReleaseBook, Signature
from gyre_trainer.service import ReleaseController

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = Signature(actor="ann")
GYRE = Signature(actor="gyre")


class FakeLog:
    """A topic in memory that can lose the connection before or after it has taken a change."""

    def __init__(self) -> None:
        self.written: list[ReleaseChanged] = []
        self.opened = 0
        self.fails = ""

    async def open(self) -> Sequence[ReleaseChanged]:
        if self.fails == "open":
            raise Unavailable("Kafka does not answer")
        self.opened += 1
        return list(self.written)

    async def append(self, changes: Changes) -> None:
        await asyncio.sleep(0)
        if self.fails == "before":
            raise Unavailable("not written")
        self.written.extend(changes)
        if self.fails == "after":
            raise Unavailable("written, but nobody says so")


def an_artifact(version: str) -> Artifact:
    return Artifact(version=version, digest="sha256:" + "a" * 64, registered_at=NOON)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
async def controller(log: FakeLog) -> ReleaseController:
    controller = ReleaseController(log, ReleaseBook(clock=lambda: NOON))
    await controller.start({"judge": an_artifact("j1")}, GYRE)
    await controller.start({"judge": an_artifact("j2")}, GYRE)
    return controller


async def live(controller: ReleaseController) -> str:
    (release,) = await controller.releases("judge")
    return f"{release.live} #{release.generation}"


async def test_the_first_shipped_version_is_live_and_a_later_one_is_only_registered(
    controller: ReleaseController,
) -> None:
    assert await live(controller) == "j1 #2"


async def test_a_second_start_finds_what_stood(controller: ReleaseController, log: FakeLog) -> None:
    await controller.promote("judge", "j2", expected_generation=2, by=ANN)
    again = ReleaseController(log, ReleaseBook(clock=lambda: NOON))
    await again.start({"judge": an_artifact("j2")}, GYRE)
    assert await live(again) == "j2 #3"
    assert len(log.written) == 3


async def test_of_two_changes_at_once_one_wins(controller: ReleaseController) -> None:
    outcomes = await asyncio.gather(
        *(
            controller.promote("judge", "j2", expected_generation=2, by=Signature(actor=actor))
            for actor in ("ann", "bob")
        ),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [ReleaseChanged, Conflict]
    assert await live(controller) == "j2 #3"


@pytest.mark.parametrize(("fails", "stands"), [("before", "j1 #2"), ("after", "j2 #3")])
async def test_after_an_unknown_outcome_the_topic_decides(
    controller: ReleaseController, log: FakeLog, fails: str, stands: str
) -> None:
    log.fails = fails
    with pytest.raises(Unavailable, match="may or may not have happened"):
        await controller.promote("judge", "j2", expected_generation=2, by=ANN)
    log.fails = ""
    assert await live(controller) == stands


async def test_while_the_outcome_is_unknown_nothing_is_answered(
    controller: ReleaseController, log: FakeLog
) -> None:
    log.fails = "before"
    with pytest.raises(Unavailable):
        await controller.promote("judge", "j2", expected_generation=0, by=ANN)
    log.fails = "open"
    with pytest.raises(Unavailable):
        await controller.releases()
    with pytest.raises(Unavailable):
        await controller.promote("judge", "j2", expected_generation=0, by=ANN)


async def test_a_caller_who_gives_up_half_way_leaves_no_guess_behind(
    controller: ReleaseController, log: FakeLog
) -> None:
    change = asyncio.create_task(controller.promote("judge", "j2", expected_generation=2, by=ANN))
    await asyncio.sleep(0)
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    opened = log.opened
    assert await live(controller) == "j1 #2"
    assert log.opened == opened + 1


@pytest.mark.parametrize(
    ("field", "generation", "by"),
    [
        ("expected_generation", -1, ANN),
        ("actor", 0, Signature(actor=" ")),
        ("actor", 0, Signature(actor="a\nb")),
        ("actor", 0, Signature(actor="a" * 257)),
        ("reason", 0, Signature(actor="ann", reason="r" * 1025)),
    ],
)
async def test_a_change_needs_a_name_and_a_sane_generation(
    controller: ReleaseController, field: str, generation: int, by: Signature
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await controller.promote("judge", "j2", expected_generation=generation, by=by)
    assert refused.value.field == field


async def test_one_role_can_be_asked_for(controller: ReleaseController) -> None:
    assert [release.role for release in await controller.releases()] == ["judge"]
    with pytest.raises(NotFound):
        await controller.releases("poet")
