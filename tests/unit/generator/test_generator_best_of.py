"""A version may draw several answers; the judge says which is given, and whatever fails, one is."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import pytest
from gyre.judge.v1 import judge_pb2 as pb
from gyre_common.context import RequestContext, request_context, use_context
from gyre_common.errors import (
    EMPTY_ANSWER,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    Unavailable,
)
from gyre_common.events.interactions import InteractionCompleted, Outcome, TokenUsage
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Choose, Examples, Piece
from gyre_generator.backends.best_of import AFTERWARDS_SECONDS, BestOfBackend
from gyre_generator.given_passages import GivenPassages
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import Steps
from gyre_generator.prompts import Prompt, Prompts
from gyre_generator.service import Answerer, AnswerFinished
from gyre_generator.steps.generate import NO_ANSWER
from gyre_generator.steps.route import OPENAI, route
from gyre_generator.version_trial import GeneratorTrial

from tests.builders import a_release, an_artifact
from tests.fakes.bus import MemoryBus
from tests.unit.generator.conftest import FakeRetriever, a_passage, steps_of

ASK = Ask("How hot should the water for green tea be?")
PROMPT = Prompt("answer-2", "s", "u")
DECLINES = AnswerDraft("", abstained=True, tokens=TokenUsage(prompt=10, completion=1))

Draw = str | AnswerDraft | GyreError | None


class Writer:
    """Writes the next of `draws` each time; None for ever."""

    ignores = ()

    def __init__(self, *draws: Draw) -> None:
        self.draws = list(draws)
        self.asks: list[Ask] = []

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        return choose(budget)

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        draw = self.draws[len(self.asks)]
        self.asks.append(ask)
        yield PROMPT
        match draw:
            case None:
                await asyncio.Event().wait()
            case str():
                yield draw
                tokens = TokenUsage(prompt=10, completion=len(draw.split()), estimated=False)
                yield AnswerDraft(draw, tokens=tokens, cost_usd=0.5)
            case AnswerDraft():
                yield draw
            case GyreError():
                raise draw


class Judge:
    """The reward of an answer is what `rewards` says, or an error; None takes for ever."""

    def __init__(self, rewards: Mapping[str, float | GyreError | None]) -> None:
        self.rewards = rewards
        self.requests: list[tuple[str, str, tuple[str, ...]]] = []
        self.versions: list[Mapping[str, str]] = []

    async def __call__(self, request: pb.JudgeRequest) -> pb.JudgeResponse:
        self.requests.append((request.question, request.answer, tuple(request.passages)))
        self.versions.append(dict(request_context().versions))
        reward = self.rewards[request.answer]
        if isinstance(reward, GyreError):
            raise reward
        if reward is None:
            await asyncio.Event().wait()
        scores = [
            pb.Score(metric="groundedness", value=1.0),
            pb.Score(metric="reward", value=reward),
        ]
        return pb.JudgeResponse(scores=scores, version="taste-1")


class Room:
    """A generator whose version gives the best of three."""

    def __init__(self, releases: ReleaseView, bus: MemoryBus, retriever: FakeRetriever) -> None:
        self.releases = releases
        self.bus = bus
        self.retriever = retriever
        self.writer = Writer()
        self.judge = Judge({})
        self.generation = 1

    def release(self, **settings: str) -> None:
        all_settings = {"backend": OPENAI, "best_of": "3", "reward": "taste-1", **settings}
        version = an_artifact("best-3", settings=all_settings)
        self.generation += 1
        fields = {"artifacts": (version,), "generation": self.generation}
        self.releases.apply(a_release(Roles.GENERATOR, live="best-3", **fields))

    @property
    def steps(self) -> Steps:
        backends = {OPENAI: BestOfBackend(self.writer, self.judge)}
        return {
            **steps_of(self.retriever.search, self.releases),
            "route": partial(route, backends=backends, releases=self.releases),
        }

    async def ask(self, ask: Ask = ASK) -> AnswerFinished:
        return await Answerer(self.steps, self.bus, self.releases).answer(ask)

    @property
    def recorded(self) -> InteractionCompleted:
        [(_, event)] = self.bus.published
        assert isinstance(event, InteractionCompleted)
        return event

    @property
    def choice(self) -> tuple[bool, str]:
        [verdict] = [each for each in self.recorded.guardrails if each.name == "best_of"]
        return verdict.passed, verdict.detail


@pytest.fixture
def room(releases: ReleaseView, bus: MemoryBus, retriever: FakeRetriever) -> Room:
    room = Room(releases, bus, retriever)
    room.release()
    return room


async def test_the_answer_that_the_judge_finds_best_is_given_and_all_of_it_recorded(
    room: Room,
) -> None:
    room.writer.draws = ["Very hot.", "About 80 degrees Celsius.", "Hot."]
    room.judge.rewards = {"Very hot.": 0.25, "About 80 degrees Celsius.": 0.75, "Hot.": 0.5}
    finished = await room.ask(replace(ASK, seed=7))

    event = room.recorded
    assert (event.answer, event.outcome) == ("About 80 degrees Celsius.", Outcome.ANSWERED)
    detail = "3 of 3 drawn, rewards 0.250, 0.750, 0.500 by taste-1: number 2 was given"
    assert room.choice == (True, detail)
    assert (event.fallbacks, finished.ignored) == ((), ())
    assert event.tokens == TokenUsage(prompt=30, completion=7, estimated=False)
    assert event.cost_usd == 1.5
    assert event.versions[Roles.JUDGE] == "taste-1"
    assert event.prompt == PROMPT.text
    assert 0 <= event.latency_ms["judge"] <= event.latency_ms["generate"]
    assert [(ask.temperature, ask.seed) for ask in room.writer.asks] == [
        (0.7, 7),
        (0.7, 8),
        (0.7, 9),
    ]
    [(question, _, passages), *_] = room.judge.requests
    assert question == ASK.question
    assert passages == tuple(passage.text for passage in room.retriever.passages)
    assert room.judge.versions == [{Roles.JUDGE: "taste-1"}] * 3


async def test_a_stream_says_nothing_before_the_best_is_known_then_sentence_by_sentence(
    room: Room,
) -> None:
    room.writer.draws = ["Hot. Very.", "At 80. Steep it.", "Hot."]
    room.judge.rewards = {"Hot. Very.": 0.2, "At 80. Steep it.": 0.9, "Hot.": 0.1}
    texts: list[str] = []
    async with aclosing(Answerer(room.steps, room.bus, room.releases).stream(ASK)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                assert len(room.judge.requests) == 3
                texts.append(piece)
    assert texts == ["At 80.", " Steep it."]


async def test_of_equals_the_first_is_given_and_the_same_words_are_scored_once(room: Room) -> None:
    room.writer.draws = ["Hot.", "Warm.", "Hot."]
    room.judge.rewards = {"Hot.": 0.5, "Warm.": 0.5}
    assert (await room.ask()).interaction.answer == "Hot."
    assert len(room.judge.requests) == 2
    assert room.choice[1].endswith("number 1 was given")


EMPTY = FailedPrecondition("wrote an empty answer", code=EMPTY_ANSWER)


@pytest.mark.parametrize("nothing", [DECLINES, EMPTY], ids=["declines", "empty"])
async def test_what_declines_or_is_empty_loses_unless_all_do(room: Room, nothing: Draw) -> None:
    room.writer.draws = [nothing, "Hot.", nothing]
    room.judge.rewards = {"Hot.": 0.01}
    assert (await room.ask()).interaction.answer == "Hot."
    assert "rewards none, 0.010, none by taste-1: number 2" in room.choice[1]


async def test_where_all_decline_so_does_the_answer_and_nothing_is_scored(room: Room) -> None:
    room.writer.draws = [DECLINES] * 3
    assert (await room.ask()).interaction.answer == NO_ANSWER
    event = room.recorded
    assert (event.outcome, event.tokens.completion) == (Outcome.ABSTAINED, 3)
    assert Roles.JUDGE not in event.versions
    assert not room.judge.requests


async def test_an_answer_that_declines_goes_before_one_without_a_word(room: Room) -> None:
    room.writer.draws = [EMPTY, DECLINES, EMPTY]
    assert (await room.ask()).interaction.answer == NO_ANSWER


async def test_where_all_are_empty_the_first_ones_reason_is_given(room: Room) -> None:
    room.writer.draws = [EMPTY] * 3
    with pytest.raises(FailedPrecondition, match="wrote an empty answer"):
        await room.ask()


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("nobody listens"),
        DeadlineExceeded("it took too long"),
        FailedPrecondition("judge has no version taste-1 here (yet)"),
    ],
)
async def test_without_the_judge_the_first_answer_is_given_and_no_other_drawn(
    room: Room, failure: GyreError
) -> None:
    room.writer.draws = ["Hot.", "Warm."]
    room.judge.rewards = {"Hot.": failure}
    assert (await room.ask()).interaction.answer == "Hot."

    [note] = room.recorded.fallbacks
    assert note.startswith("generator: not the best of 3: ")
    assert str(failure) in note
    assert ("GYRE_JUDGE_SECONDS" in note) is not isinstance(failure, FailedPrecondition)
    assert room.choice == (False, "1 of 3 drawn, rewards none by taste-1: number 1 was given")
    assert Roles.JUDGE not in room.recorded.versions
    assert len(room.writer.asks) == 1


async def test_a_further_answer_that_fails_leaves_the_best_so_far(room: Room) -> None:
    room.writer.draws = ["Hot.", "At 80.", Unavailable("the model server is away")]
    room.judge.rewards = {"Hot.": 0.2, "At 80.": 0.9}
    assert (await room.ask()).interaction.answer == "At 80."
    assert room.recorded.fallbacks == ("generator: not the best of 3: the model server is away",)


async def test_a_first_answer_that_fails_is_a_failure_as_ever(room: Room) -> None:
    room.writer.draws = [Unavailable("the model server is away")]
    with pytest.raises(Unavailable):
        await room.ask()


def in_a_moment() -> RequestContext:
    """So that less than a second is left, which is kept for the record, but for a moment."""
    return RequestContext(deadline=time.monotonic() + AFTERWARDS_SECONDS + 0.2)


async def test_a_judge_that_takes_too_long_is_not_waited_for_beyond_the_request(room: Room) -> None:
    room.writer.draws = ["Hot."]
    room.judge.rewards = {"Hot.": None}
    with use_context(in_a_moment()):
        assert (await room.ask()).interaction.answer == "Hot."
    assert room.recorded.fallbacks == ("generator: not the best of 3: no time was left for more",)


async def test_where_time_runs_out_the_best_so_far_is_given(room: Room) -> None:
    room.writer.draws = ["Hot.", "At 80.", None]
    room.judge.rewards = {"Hot.": 0.2, "At 80.": 0.9}
    with use_context(in_a_moment()):
        assert (await room.ask()).interaction.answer == "At 80."
    assert room.choice[1].startswith("2 of 3 drawn, rewards 0.200, 0.900")


async def test_no_answer_is_begun_that_would_not_be_done_in_time(room: Room) -> None:
    room.writer.draws = ["Hot.", None]
    room.judge.rewards = {"Hot.": 0.2}
    with use_context(RequestContext(deadline=time.monotonic() + AFTERWARDS_SECONDS / 2)):
        assert (await room.ask()).interaction.answer == "Hot."
    assert len(room.writer.asks) == 1


async def test_at_temperature_0_there_is_one_answer_to_give(room: Room) -> None:
    room.writer.draws = ["Hot."]
    assert (await room.ask(replace(ASK, temperature=0.0))).interaction.answer == "Hot."
    assert not room.judge.requests


@pytest.mark.parametrize(
    ("settings", "ask", "temperature"),
    [
        ({"best_of_temperature": "1.1"}, ASK, 1.1),
        ({"best_of_temperature": "1.1"}, replace(ASK, temperature=0.3), 0.3),
    ],
)
async def test_the_callers_temperature_goes_before_the_versions(
    room: Room, settings: dict[str, str], ask: Ask, temperature: float
) -> None:
    room.release(**settings)
    room.writer.draws = ["Hot."] * 3
    room.judge.rewards = {"Hot.": 0.5}
    await room.ask(ask)
    assert {each.temperature for each in room.writer.asks} == {temperature}


async def test_a_version_that_writes_one_answer_asks_no_judge(room: Room) -> None:
    room.release(best_of="1")
    room.writer.draws = ["Hot."]
    assert (await room.ask()).interaction.answer == "Hot."
    assert room.writer.asks == [ASK]
    assert not room.judge.requests


async def test_a_comparison_gets_the_best_or_why_there_is_none(room: Room) -> None:
    given = GivenPassages(room.steps, Prompts(), room.releases)
    room.writer.draws = ["Hot.", "At 80.", "Warm.", "Hot."]
    room.judge.rewards = {"Hot.": 0.2, "At 80.": 0.9, "Warm.": 0.1}
    assert (await given.answer(ASK, [a_passage()])).interaction.answer == "At 80."
    room.judge.rewards = {"Hot.": Unavailable("nobody listens")}
    with pytest.raises(Unavailable, match="the judge is away"):
        await given.answer(ASK, [a_passage()])


async def test_a_version_is_tried_together_with_the_judge_that_chooses(room: Room) -> None:
    trial = GeneratorTrial([OPENAI], room.releases, None, room.judge)
    room.judge.rewards = {"It is.": 0.5}
    await trial.try_version("best-3")
    room.judge.rewards = {"It is.": FailedPrecondition("judge has no version taste-1 here (yet)")}
    with pytest.raises(FailedPrecondition, match="no version taste-1"):
        await trial.try_version("best-3")


async def test_a_judge_that_gives_no_reward_is_named(room: Room) -> None:
    async def by_words(request: pb.JudgeRequest) -> pb.JudgeResponse:
        return pb.JudgeResponse(scores=[pb.Score(metric="groundedness", value=1.0)])

    trial = GeneratorTrial([OPENAI], room.releases, None, by_words)
    with pytest.raises(FailedPrecondition, match="judge taste-1 gives no reward"):
        await trial.try_version("best-3")
