"""A verdict is applied once, whole, and to what it was compared with; else it is only recorded."""

import asyncio
from collections.abc import Sequence

import pytest
from gyre_common.errors import FailedPrecondition, NotFound, Unavailable
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.events.training import TRAINING_FINISHED, Decision, Slice
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import Changes
from gyre_releases.handlers import build_handlers
from gyre_releases.kafka_log import Superseded
from gyre_releases.service import ReleaseController

from tests.builders import a_training_end
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus
from tests.fakes.probes import encoder_probes
from tests.unit.releases.release_builders import (
    ANN,
    NOON,
    a_book,
    a_judged_run,
    a_release,
    an_artifact,
    apply_verdict,
    names,
    promote,
    record_of,
    register,
    rollback,
)

AGAINST = {"query-encoder": "q1", "retrieval": "hybrid"}
WEIGHTS = {"retrieval": an_artifact("for-votes", fits="votes", run="r1")}


def a_candidate(version: str = "votes") -> Artifact:
    """Registered by its run, before any gate."""
    return an_artifact(version, fits="d1", run="r1")


def a_system() -> ReleaseBook:
    """What ships is live, and a run has registered its version."""
    return a_book(
        a_release("document-encoder", an_artifact("d1")),
        a_release("query-encoder", an_artifact("q1", fits="d1"), a_candidate(), live="q1"),
        a_release("retrieval", an_artifact("hybrid")),
    )


def test_what_passed_goes_live_with_its_companions_and_its_record_in_one_change() -> None:
    book = a_system()
    event = a_judged_run(
        a_candidate(), against=AGAINST, companions=WEIGHTS, report_uri="s3://gyre/report"
    )
    assert apply_verdict(book, event) == [
        "query-encoder votes #2",
        "retrieval for-votes #2",
    ]
    assert record_of(book, "query-encoder", "votes") == "released"
    release = book.release("query-encoder")
    assert (release.history, release.actor) == (("q1",), "ann")
    assert release.evidence["report"] == "s3://gyre/report"
    weights = book.release("retrieval").artifact("for-votes")
    assert weights is not None
    assert (weights.evidence["gate"], weights.evidence["run"]) == ("passed", "r1")


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("decision", list(Decision))
def test_a_verdict_that_was_applied_changes_nothing_a_second_time(
    decision: Decision, hold: bool
) -> None:
    book = a_system()
    event = a_judged_run(a_candidate(), hold=hold, decision=decision, companions=WEIGHTS)
    assert apply_verdict(book, event)
    assert apply_verdict(book, event) == []


def test_what_was_released_and_rolled_back_is_not_released_again_by_a_replay() -> None:
    book = a_system()
    event = a_judged_run(a_candidate(), against=AGAINST)
    apply_verdict(book, event)
    rollback(book, "query-encoder")
    assert apply_verdict(book, event) == []
    assert book.release("query-encoder").live == "q1"


def test_what_is_held_is_recorded_as_passed_and_can_be_promoted() -> None:
    book = a_system()
    apply_verdict(book, a_judged_run(a_candidate(), hold=True, companions=WEIGHTS))
    assert record_of(book, "query-encoder", "votes") == (
        "passed: held: promote it with `gyre promote query-encoder votes`"
    )
    assert promote(book, "query-encoder", "votes") == [
        "query-encoder votes #3",
        "retrieval for-votes #3",
    ]


@pytest.mark.parametrize("decision", [Decision.REFUSED, Decision.TOO_SMALL])
def test_what_did_not_pass_stays_and_needs_an_override(decision: Decision) -> None:
    book = a_system()
    apply_verdict(book, a_judged_run(a_candidate(), decision=decision))
    assert record_of(book, "query-encoder", "votes") == "refused"
    with pytest.raises(FailedPrecondition, match="did not pass its gate"):
        promote(book, "query-encoder", "votes")
    assert promote(book, "query-encoder", "votes", override=True)


@pytest.mark.parametrize(
    ("slices", "why"),
    [
        ((), "nothing was measured on the whole"),
        ((Slice(name="all", examples=0),), "nothing was measured on the whole"),
        ((Slice(name="all", examples=9, low=float("nan")),), "nothing was measured on the whole"),
        (
            (Slice(name="all", examples=9, difference=-2, low=-3, high=-1),),
            "the whole is surely worse (at best -1)",
        ),
    ],
)
def test_a_verdict_that_says_passed_but_whose_slices_do_not_opens_no_gate(
    slices: tuple[Slice, ...], why: str
) -> None:
    book = a_system()
    apply_verdict(book, a_judged_run(a_candidate(), slices=slices))
    assert record_of(book, "query-encoder", "votes").startswith("refused: the verdict says passed")
    assert why in record_of(book, "query-encoder", "votes")
    assert book.release("query-encoder").live == "q1"


def test_what_is_live_already_by_somebodys_override_is_recorded_as_released() -> None:
    book = a_system()
    promote(book, "query-encoder", "votes", override=True)
    apply_verdict(book, a_judged_run(a_candidate(), against=AGAINST))
    assert record_of(book, "query-encoder", "votes") == "released"


def test_companions_of_a_name_that_is_taken_are_refused_before_anything_changes() -> None:
    book = a_system()
    register(book, "retrieval", an_artifact("for-votes", content="b"))
    with pytest.raises(FailedPrecondition, match="registered already with another digest"):
        apply_verdict(book, a_judged_run(a_candidate(), companions=WEIGHTS))


def test_other_content_than_the_registered_is_never_released() -> None:
    with pytest.raises(FailedPrecondition, match="registered already with another digest"):
        apply_verdict(a_system(), a_judged_run(an_artifact("votes", fits="d1", content="b")))


def test_a_version_that_is_no_longer_kept_is_not_released_by_a_replay() -> None:
    with pytest.raises(NotFound, match="no version gone"):
        apply_verdict(a_system(), a_judged_run(a_candidate("gone")))


class FakeLog:
    """A topic in memory; `fails` is raised by the next append, before or after it has written."""

    def __init__(self, book: ReleaseBook) -> None:
        self.written: list[ReleaseChanged] = list(book.releases())
        self.fails: Exception | None = None
        self.writes_first = False

    async def open(self) -> Sequence[ReleaseChanged]:
        return list(self.written)

    async def append(self, changes: Changes) -> None:
        error, self.fails = self.fails, None
        if error is None or self.writes_first:
            self.written.extend(changes)
        if error is not None:
            raise error


class FakeEmbedder:
    """Encodes, unless there is something to raise first."""

    served_by = "embedder"

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.problems: list[Exception] = []

    async def try_version(self, role: str, version: str) -> None:
        self.requests.append(version)
        if self.problems:
            raise self.problems.pop(0)


class Room:
    """The controller with its topic, its embedder and the bus that brings verdicts."""

    def __init__(self) -> None:
        self.log = FakeLog(a_system())
        self.embedder = FakeEmbedder()
        self.bus = MemoryBus(service="releases")
        book = ReleaseBook(clock=lambda: NOON)
        self.controller = ReleaseController(
            self.log, book, encoder_probes(self.embedder), patience_seconds=0.05
        )
        build_handlers(self.bus, self.controller)

    def log_since_start(self) -> list[str]:
        return names(self.log.written[3:])


RELEASED = ["query-encoder votes #2", "retrieval for-votes #2"]


PASSED_RUN = a_judged_run(a_candidate(), against=AGAINST, companions=WEIGHTS)


async def test_a_verdict_that_comes_twice_is_applied_once() -> None:
    room = Room()
    await room.bus.deliver(TRAINING_FINISHED, PASSED_RUN, PASSED_RUN)
    assert room.log_since_start() == RELEASED
    assert room.embedder.requests == ["votes"]


@pytest.mark.parametrize("writes_first", [False, True])
async def test_a_write_of_unknown_outcome_is_looked_up_and_the_verdict_applied_once(
    writes_first: bool,
) -> None:
    room = Room()
    room.log.fails, room.log.writes_first = Unavailable("no word from Kafka"), writes_first
    await room.bus.deliver(TRAINING_FINISHED, PASSED_RUN)
    assert room.log_since_start() == RELEASED
    assert room.bus.parked == []


async def test_an_embedder_that_is_away_is_waited_for() -> None:
    room = Room()
    room.embedder.problems = [Unavailable("no embedder"), Unavailable("no embedder")]
    async with room.bus:
        await room.bus.publish(TRAINING_FINISHED, PASSED_RUN)
        await eventually(lambda: room.log_since_start() == RELEASED)


async def test_an_encoder_that_cannot_serve_is_recorded_as_passed_with_the_reason() -> None:
    room = Room()
    room.embedder.problems = [FailedPrecondition("its digest does not match")] * 9
    await room.bus.deliver(TRAINING_FINISHED, PASSED_RUN)
    (state,) = await room.controller.releases("query-encoder")
    judged = state.artifact("votes")
    assert judged is not None
    assert (state.live, judged.evidence["outcome"]) == ("q1", "passed")
    assert "its digest does not match" in judged.evidence["outcome_reason"]


async def test_live_that_changes_while_the_encoder_is_tried_is_not_overrun() -> None:
    room = Room()
    trial_started, trial_may_end = asyncio.Event(), asyncio.Event()

    async def slowly(role: str, version: str) -> None:
        trial_started.set()
        await trial_may_end.wait()

    room.embedder.try_version = slowly  # type: ignore[method-assign]
    verdict_task = asyncio.create_task(room.controller.apply_verdict(PASSED_RUN))
    await trial_started.wait()
    await room.controller.register("retrieval", an_artifact("hybrid-2"), ANN)
    await room.controller.promote("retrieval", "hybrid-2", expected_generation=0, by=ANN)
    trial_may_end.set()
    await verdict_task
    (state,) = await room.controller.releases("query-encoder")
    judged = state.artifact("votes")
    assert judged is not None
    assert state.live == "q1"
    assert "hybrid-2 is live by now" in judged.evidence["outcome_reason"]


async def test_runs_without_a_verdict_and_those_of_before_change_nothing() -> None:
    room = Room()
    await room.bus.deliver(
        TRAINING_FINISHED,
        a_training_end(outcome="failed", verdict=None, candidate=None),
        a_training_end(outcome="released", verdict=None, candidate=None),
    )
    assert room.log_since_start() == []
    assert room.bus.parked == []


async def test_a_verdict_that_can_never_be_applied_is_parked_with_the_reason() -> None:
    room = Room()
    other = an_artifact("votes", fits="d1", content="b")
    await room.bus.deliver(TRAINING_FINISHED, a_judged_run(other))
    (parked,) = room.bus.parked
    assert "already with another digest" in parked.cause.message


async def test_old_verdicts_whose_versions_are_no_longer_kept_are_passed_over() -> None:
    room = Room()
    await room.bus.deliver(TRAINING_FINISHED, a_judged_run(a_candidate("gone")))
    assert (room.log_since_start(), room.bus.parked) == ([], [])


async def test_a_controller_that_was_superseded_parks_nothing() -> None:
    """The one that took over reads the verdict, too."""
    room = Room()
    room.log.fails = Superseded("another release controller has taken over")
    async with room.bus:
        await room.bus.publish(TRAINING_FINISHED, PASSED_RUN)
        await eventually(lambda: room.log_since_start() == RELEASED)
    assert room.bus.parked == []
