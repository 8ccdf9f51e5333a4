"""Answers are judged once each, with the version that is live; failures are not."""

import asyncio
import math
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import pytest
from gyre_common.context import use_versions
from gyre_common.errors import FailedPrecondition, GyreError, InvalidInput, Retryable
from gyre_common.events.interactions import INTERACTION_COMPLETED, InteractionJudged, Outcome
from gyre_common.events.releases import Artifact, Roles
from gyre_common.held import Loadable
from gyre_common.releases import ReleaseView
from gyre_judge.handlers import build_handlers
from gyre_judge.rewards import RewardModel, Rewards
from gyre_judge.service import Judge, PreferredAnswer

from tests.builders import a_release, a_retrieved_chunk, an_artifact, an_interaction
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus


def released(**settings: str) -> ReleaseView:
    view = ReleaseView()
    artifact = an_artifact("baseline-1", settings=settings)
    view.apply(a_release(Roles.JUDGE, live="baseline-1", artifacts=(artifact,)))
    return view


class Words:
    """Implements RewardModel: the reward is the number of the answer's words."""

    def __init__(self, failure: GyreError | None = None) -> None:
        self.failure = failure
        self.read: list[tuple[str, tuple[str, ...], str]] = []

    async def reward(self, question: str, passages: Sequence[str], answer: str) -> float:
        if self.failure:
            raise self.failure
        self.read.append((question, tuple(passages), answer))
        return float(len(answer.split()))

    def close(self) -> None:
        pass


class Source:
    """Implements ModelSource: one model, or none that can be loaded."""

    def __init__(self, model: Words | None) -> None:
        self._model = model
        self.opened: list[str] = []

    async def open(self, artifact: Artifact) -> Loadable[RewardModel]:
        async def load() -> RewardModel:
            if self._model is None:
                raise FailedPrecondition("it has no file onnx/model.onnx")
            return self._model

        self.opened.append(artifact.version)
        return Loadable(1, load)

    async def keep_only(self, digests: Collection[str]) -> None:
        pass


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(service="judge")


@asynccontextmanager
async def judging(
    bus: MemoryBus, view: ReleaseView | None = None, model: Words | None = None
) -> AsyncIterator[Judge]:
    """A judge that hears of answers; live is the baseline, unless a view says otherwise."""
    view = view or released(method="baseline")
    async with Rewards(Source(model), view, most_bytes=10) as rewards:
        judge = Judge(view, bus, rewards)
        build_handlers(bus, judge)
        yield judge


@pytest.fixture
async def judge(bus: MemoryBus) -> AsyncIterator[Judge]:
    async with judging(bus) as judge:
        yield judge


def verdicts(bus: MemoryBus) -> list[InteractionJudged]:
    return [event for _, event in bus.published if isinstance(event, InteractionJudged)]


@pytest.mark.usefixtures("judge")
async def test_an_answer_gets_a_verdict(bus: MemoryBus) -> None:
    event = an_interaction(tenant="acme")

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    assert verdict.interaction_id == event.interaction_id
    assert (verdict.tenant, verdict.judge_version) == ("acme", "baseline-1")
    scores = {score.metric: score.value for score in verdict.scores}
    assert scores["groundedness"] == 1.0
    assert set(scores) == {"groundedness", "answer_relevance", "context_precision"}


@pytest.mark.usefixtures("judge")
async def test_a_replay_makes_the_same_verdict(bus: MemoryBus) -> None:
    for _ in range(2):
        await bus.deliver(INTERACTION_COMPLETED, an_interaction())

    ids = {dict(r.headers)["ce_id"] for r in bus.sent if r.topic == "interactions.judged.v1"}
    assert len(ids) == 1


@pytest.mark.usefixtures("judge")
async def test_an_abstention_is_judged_by_what_was_found(bus: MemoryBus) -> None:
    event = an_interaction(outcome=Outcome.ABSTAINED, answer="No.", citations=())

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    values = {score.metric: score.value for score in verdict.scores}
    assert values["groundedness"] is None
    assert values["answer_relevance"] is None
    assert values["context_precision"] is not None


@pytest.mark.usefixtures("judge")
@pytest.mark.parametrize("outcome", [Outcome.ERROR, Outcome.CANCELLED])
async def test_what_failed_is_not_judged(bus: MemoryBus, outcome: Outcome) -> None:
    await bus.deliver(INTERACTION_COMPLETED, an_interaction(outcome=outcome, answer=""))

    assert verdicts(bus) == []
    assert bus.parked == []


@pytest.mark.usefixtures("judge")
async def test_only_passages_that_were_used_can_support(bus: MemoryBus) -> None:
    event = an_interaction(retrieved=(a_retrieved_chunk(used=False),))

    await bus.deliver(INTERACTION_COMPLETED, event)

    [verdict] = verdicts(bus)
    assert {s.metric: s.value for s in verdict.scores}["groundedness"] is None


async def test_a_judge_version_from_the_future_waits(bus: MemoryBus) -> None:
    async with judging(bus, released(method="model")) as judge:
        with pytest.raises(Retryable, match="'model'"):
            await judge.judge_interaction(an_interaction())
        with pytest.raises(FailedPrecondition):
            await judge.judge("Tea?", "Tea.", [])


async def test_the_better_supported_answer_wins(judge: Judge) -> None:
    passages = ["Green tea is steeped for two minutes in water of 80 degrees."]
    good, bad = "Steep green tea for two minutes.", "Steep green tea for nine hours in vinegar."

    async def preferred(first: str, second: str) -> PreferredAnswer:
        return (await judge.compare("How long?", first, second, passages)).preference

    assert await preferred(good, bad) is PreferredAnswer.FIRST
    assert await preferred(bad, good) is PreferredAnswer.SECOND
    assert await preferred(good, good) is PreferredAnswer.TIE


@pytest.mark.parametrize(
    ("question", "answer", "passages", "field"),
    [
        (" ", "x", [], "question"),
        ("q", "x" * 70_000, [], "answer"),
        ("q", "x", ["p"] * 101, "passages"),
        ("q", "x", ["p" * 70_000], "passages"),
    ],
)
async def test_requests_out_of_bounds_are_refused(
    judge: Judge, question: str, answer: str, passages: list[str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await judge.judge(question, answer, passages)

    assert refused.value.field == field


LEARNED = {"method": "reward"}


async def test_the_score_of_a_reward_model_stands_beside_those_of_the_baseline(
    bus: MemoryBus,
) -> None:
    model = Words()
    async with judging(bus, released(**LEARNED), model):
        await bus.deliver(INTERACTION_COMPLETED, an_interaction(answer="Two minutes."))

    [verdict] = verdicts(bus)
    scores = {score.metric: score.value for score in verdict.scores}
    assert list(scores) == ["groundedness", "answer_relevance", "context_precision", "reward"]
    assert scores["reward"] == pytest.approx(1 / (1 + math.exp(-2)))
    question, passages, answer = model.read[-1]
    event = an_interaction()
    assert (question, answer) == (event.question, "Two minutes.")
    assert passages == tuple(chunk.text for chunk in event.retrieved if chunk.used)


async def test_an_abstention_is_an_answer_without_words(bus: MemoryBus) -> None:
    model = Words()
    async with judging(bus, released(**LEARNED), model):
        event = an_interaction(outcome=Outcome.ABSTAINED, answer="No.", citations=())
        await bus.deliver(INTERACTION_COMPLETED, event)

    assert model.read[-1][2] == ""
    assert {each.metric: each.value for each in verdicts(bus)[0].scores}["reward"] == 0.5


async def test_the_answer_of_the_higher_reward_wins(bus: MemoryBus) -> None:
    """However far both are from 0."""
    async with judging(bus, released(**LEARNED), Words()) as judge:
        compared = await judge.compare("Tea?", "Green " * 20, "Green " * 22, [])
        tie = await judge.compare("Tea?", "Green tea.", "Black tea.", [])
    assert compared.preference is PreferredAnswer.SECOND
    assert compared.rationale == "reward: the first is preferred with a probability of 0.12"
    assert [score.metric for score in compared.first][-2:] == ["substance", "reward"]
    assert tie.preference is PreferredAnswer.TIE


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (None, "baseline-1 cannot be served here: it has no file onnx/model.onnx"),
        (Words(Retryable("the store is away")), "baseline-1 cannot be served here: the store"),
    ],
)
async def test_a_model_that_fails_stops_no_other_metric_and_says_why(
    bus: MemoryBus, model: Words | None, why: str
) -> None:
    async with judging(bus, released(**LEARNED), model):
        await bus.deliver(INTERACTION_COMPLETED, an_interaction())

    [verdict] = verdicts(bus)
    scores = {score.metric: score for score in verdict.scores}
    assert scores["groundedness"].value == 1.0
    assert scores["reward"].value is None
    assert scores["reward"].rationale.startswith(why)


async def test_an_answer_that_is_too_long_for_the_model_says_so(bus: MemoryBus) -> None:
    model = Words()
    async with judging(bus, released(**LEARNED), model) as judge:
        await judge.judge("Tea?", "Tea.", [])
        model.failure = FailedPrecondition("question and answer have 9,000 tokens")
        scores, _ = await judge.judge("Tea?", "Tea.", [])
    assert scores[-1].rationale == "question and answer have 9,000 tokens"


async def test_a_request_may_name_another_version_and_hears_when_it_cannot_judge(
    bus: MemoryBus,
) -> None:
    view = ReleaseView()
    live = an_artifact("baseline-1", settings={"method": "baseline"})
    learned = an_artifact("learned-1", settings=LEARNED, digest="sha256:" + "d" * 64)
    view.apply(a_release(Roles.JUDGE, live="baseline-1", artifacts=(live, learned)))
    model = Words()
    async with judging(bus, view, model) as judge:
        with use_versions({Roles.JUDGE: "learned-1"}):
            scores, version = await judge.judge("Tea?", "Green tea.", [])
            assert (version, scores[-1].metric) == ("learned-1", "reward")
            model.failure = FailedPrecondition("it cannot be run")
            with pytest.raises(FailedPrecondition, match="it cannot be run"):
                await judge.judge("Tea?", "Green tea.", [])
        with (
            use_versions({Roles.JUDGE: "missing"}),
            pytest.raises(FailedPrecondition, match="judge has no version missing here"),
        ):
            await judge.judge("Tea?", "Green tea.", [])
        scores, version = await judge.judge("Tea?", "Green tea.", [])
        assert (version, len(scores)) == ("baseline-1", 3)


async def test_what_a_live_generator_chooses_by_is_at_hand_before_it_asks() -> None:
    view = released(method="baseline")
    taste = an_artifact("taste-1", settings={"method": "reward"})
    judges = (
        view.live("acme", Roles.JUDGE),
        taste,
        an_artifact("spare-1", settings=taste.settings),
    )
    view.apply(a_release(Roles.JUDGE, live="baseline-1", artifacts=judges, generation=2))
    chooses = an_artifact("best-4", settings={"best_of": "4", "reward": "taste-1"})
    view.apply(a_release(Roles.GENERATOR, live="best-4", artifacts=(chooses,)))
    source = Source(Words())
    async with Rewards(source, view, most_bytes=10) as rewards:
        following = asyncio.create_task(rewards.follow_releases())
        await eventually(lambda: source.opened, 10)
        following.cancel()
    assert source.opened == ["taste-1"]
