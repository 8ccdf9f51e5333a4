"""Answers are judged once each, with the version that is live; failures are not."""

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, Retryable
from gyre_common.events.interactions import INTERACTION_COMPLETED, InteractionJudged, Outcome
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_judge.handlers import build_handlers
from gyre_judge.service import Judge, Preference

from tests.builders import a_release, a_retrieved_chunk, an_artifact, an_interaction
from tests.fakes.bus import MemoryBus


def released(**settings: str) -> ReleaseView:
    view = ReleaseView()
    artifact = an_artifact("baseline-1", settings=settings)
    view.apply(a_release(Roles.JUDGE, live="baseline-1", artifacts=(artifact,)))
    return view


@pytest.fixture
def bus() -> MemoryBus:
    bus = MemoryBus(service="judge")
    build_handlers(bus, Judge(released(method="baseline"), bus))
    return bus


def verdicts(bus: MemoryBus) -> list[InteractionJudged]:
    return [event for _, event in bus.published if isinstance(event, InteractionJudged)]


async def test_an_answer_gets_a_verdict(bus: MemoryBus) -> None:
    event = an_interaction(tenant="acme")

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    assert verdict.interaction_id == event.interaction_id
    assert (verdict.tenant, verdict.judge_version) == ("acme", "baseline-1")
    scores = {score.metric: score.value for score in verdict.scores}
    assert scores["groundedness"] == 1.0
    assert set(scores) == {"groundedness", "answer_relevance", "context_precision"}


async def test_a_replay_makes_the_same_verdict(bus: MemoryBus) -> None:
    for _ in range(2):
        await bus.deliver(INTERACTION_COMPLETED, an_interaction())

    ids = {dict(r.headers)["ce_id"] for r in bus.sent if r.topic == "interactions.judged.v1"}
    assert len(ids) == 1


async def test_an_abstention_is_judged_by_what_was_found(bus: MemoryBus) -> None:
    event = an_interaction(outcome=Outcome.ABSTAINED, answer="No.", citations=())

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    values = {score.metric: score.value for score in verdict.scores}
    assert values["groundedness"] is None
    assert values["answer_relevance"] is None
    assert values["context_precision"] is not None


@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.CANCELLED])
async def test_what_failed_is_not_judged(bus: MemoryBus, outcome: Outcome) -> None:
    await bus.deliver(INTERACTION_COMPLETED, an_interaction(outcome=outcome, answer=""))

    assert verdicts(bus) == []
    assert bus.parked == []


async def test_only_passages_that_were_used_can_support(bus: MemoryBus) -> None:
    event = an_interaction(retrieved=(a_retrieved_chunk(used=False),))

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    assert {s.metric: s.value for s in verdict.scores}["groundedness"] is None


async def test_a_judge_version_from_the_future_waits(bus: MemoryBus) -> None:
    judge = Judge(released(method="model"), bus)

    with pytest.raises(Retryable, match="'model'"):
        await judge.judge_interaction(an_interaction())
    with pytest.raises(FailedPrecondition):
        judge.judge("default", "Tea?", "Tea.", [])


def test_the_better_supported_answer_wins(bus: MemoryBus) -> None:
    judge = Judge(released(), bus)
    passages = ["Green tea is steeped for two minutes in water of 80 degrees."]
    good, bad = "Steep green tea for two minutes.", "Steep green tea for nine hours in vinegar."

    compare = judge.compare
    assert compare("default", "How long?", good, bad, passages).preference is Preference.FIRST
    assert compare("default", "How long?", bad, good, passages).preference is Preference.SECOND
    assert compare("default", "How long?", good, good, passages).preference is Preference.TIE


@pytest.mark.parametrize(
    ("question", "answer", "passages", "field"),
    [
        (" ", "x", [], "question"),
        ("q", "x" * 70_000, [], "answer"),
        ("q", "x", ["p"] * 101, "passages"),
        ("q", "x", ["p" * 70_000], "passages"),
    ],
)
def test_requests_out_of_bounds_are_refused(
    bus: MemoryBus, question: str, answer: str, passages: list[str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Judge(released(), bus).judge("default", question, answer, passages)

    assert refused.value.field == field
