"""Runs, artifacts and releases that lie on a disk from before runs told verdicts are still read."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from gyre_common.events.event import now
from gyre_common.events.releases import RELEASE_CHANGED, ReleaseChanged
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)
from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.signature import Signature
from gyre_common.store import Store
from gyre_releases.book import ReleaseBook
from gyre_releases.draft import Changes
from gyre_releases.handlers import build_handlers
from gyre_releases.scope import ReleaseScope
from gyre_releases.service import ReleaseController
from gyre_trainer.rpc import run_message
from gyre_trainer.runs.book import RunBook

from tests.before_verdicts import RELEASED_RUN, TENANT, VERSION, OldHome
from tests.fakes.bus import MemoryBus
from tests.fakes.probes import encoder_probes

ANN = Signature(actor="ann")
DEMO = ReleaseScope(TENANT, TENANT)


@pytest.fixture
def old(tmp_path: Path) -> OldHome:
    return OldHome(tmp_path / "gyre")


@pytest.fixture
def releases(old: OldHome) -> list[ReleaseChanged]:
    values = [record.value for record in old.records(RELEASE_CHANGED)]
    return [ReleaseChanged.model_validate_json(value) for value in values]


@pytest.fixture
def ends(old: OldHome) -> list[TrainingFinished]:
    values = [record.value for record in old.records(TRAINING_FINISHED)]
    return [TrainingFinished.model_validate_json(value) for value in values]


@pytest.fixture
def runs(old: OldHome, releases: list[ReleaseChanged], ends: list[TrainingFinished]) -> RunBook:
    book = RunBook()
    for record in old.records(TRAINING_STARTED):
        book.apply([TrainingStarted.model_validate_json(record.value)])
    for record in old.records(TRAINING_PROGRESSED):
        book.apply([TrainingProgressed.model_validate_json(record.value)])
    book.apply([*ends, *releases])
    return book


class OldTopic:
    """The release log with what lies there."""

    def __init__(self, states: Sequence[ReleaseChanged]) -> None:
        self.written_releases: list[ReleaseChanged] = []
        self._states = states

    async def open(self) -> Sequence[ReleaseChanged]:
        return [*self._states, *self.written_releases]

    async def append(self, changes: Changes) -> None:
        self.written_releases.extend(changes)

    def written_of(self, before: Sequence[ReleaseChanged]) -> list[ReleaseChanged]:
        """Changes of roles that there were before; a role that is new gets its first version."""
        roles = {one.role for one in before}
        return [one for one in self.written_releases if one.role in roles]


class Embedder:
    """Encodes with whatever it is asked for."""

    served_by = "embedder"

    async def try_version(self, role: str, version: str) -> None:
        return


async def open_controller(topic: OldTopic) -> ReleaseController:
    controller = ReleaseController(topic, ReleaseBook(now), encoder_probes(Embedder()))
    await controller.start(shipped_artifacts(now()), Signature(actor="gyre"))
    return controller


def test_runs_are_as_they_ended_and_none_waits_for_the_release_controller(runs: RunBook) -> None:
    run_states = [(run.state, run.finished and run.finished.version) for run in runs.runs(TENANT)]
    assert run_states == [("cancelled", None), ("released", VERSION)]
    assert runs.unfinished() == []


async def test_a_runs_report_is_read_from_the_store_and_shown_as_a_verdict(
    old: OldHome, runs: RunBook
) -> None:
    message = await run_message(runs.run(UUID(RELEASED_RUN), TENANT), Store(old.store_url))
    assert message.report["verdict"] == "passed"
    assert message.verdict.decision == "passed"
    assert message.verdict.explanation.startswith("100 would be the best order")
    slice_of_all = message.verdict.slices[0]
    assert (slice_of_all.name, slice_of_all.examples) == ("overall", 52)
    assert (round(slice_of_all.difference, 1), round(slice_of_all.low, 1)) == (34.5, 25.4)


async def test_the_trained_encoder_is_found_in_the_store(
    old: OldHome, releases: list[ReleaseChanged]
) -> None:
    artifact = releases[-2].artifact(VERSION)
    assert artifact is not None
    assert artifact.uri is not None
    manifest = await Store(old.store_url).get(artifact.uri, artifact.digest)
    assert b"onnx/model.onnx" in manifest


async def test_releases_stand_as_they_did_and_starting_only_adds_what_ships_by_now(
    releases: list[ReleaseChanged],
) -> None:
    topic = OldTopic(releases)
    controller = await open_controller(topic)
    written = {one.role: one.live for one in topic.written_of(releases)}
    assert written == {"generator": "extractive-1", "prompt/answer": "answer-1"}
    lives = {one.role: one.live for one in await controller.releases(scope=DEMO)}
    assert (lives["query-encoder"], lives["retrieval"]) == (VERSION, "fitted-4dfe7878")


async def test_the_way_back_and_forth_is_open(releases: list[ReleaseChanged]) -> None:
    controller = await open_controller(OldTopic(releases))
    back = await controller.rollback("query-encoder", expected_generation=5, by=ANN, scope=DEMO)
    assert back.live == "minilm-l6-v2"
    again = await controller.promote(
        "query-encoder", VERSION, expected_generation=0, by=ANN, scope=DEMO
    )
    assert again.live == VERSION


async def test_ends_of_before_change_nothing_when_they_are_read(
    old: OldHome, releases: list[ReleaseChanged]
) -> None:
    topic = OldTopic(releases)
    bus = MemoryBus(service="releases")
    build_handlers(bus, await open_controller(topic))
    at_the_start = topic.written_of(releases)
    records = old.records(TRAINING_FINISHED)
    await bus.deliver_raw(
        TRAINING_FINISHED, *((one.key, one.value, one.headers) for one in records)
    )
    assert (topic.written_of(releases), bus.parked) == (at_the_start, [])
