"""Scores answers without a reference: those that were given, and those that are shown to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition, InvalidInput, Retryable
from gyre_common.events.event import derived_id, now
from gyre_common.events.interactions import (
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
    Outcome,
    RetrievedChunk,
    Score,
)
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Artifact, Roles
from gyre_common.passages import context_line
from gyre_common.releases import ReleaseView
from gyre_common.reward_input import METHOD as REWARD_METHOD
from gyre_common.reward_input import METRIC as REWARD
from gyre_common.turns import Steps, Turns

from gyre_judge import metrics
from gyre_judge.metrics import WeightedPassages
from gyre_judge.rewards import Rewards

T = TypeVar("T")

BASELINE = "baseline"
TIE = 0.02
"""Answers whose totals differ less are equally good; chosen on the tuning half of bench/judge."""

MAX_TEXT = 65_536
MAX_PASSAGES = 100
_COMPARED = (metrics.GROUNDEDNESS, metrics.SUBSTANCE)
_MOST_REWARD = 30.0
"""What is beyond is as sure: its score would be 1 or 0."""


class PreferredAnswer(StrEnum):
    """Which of two answers is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """The scores of two answers and what follows."""

    preference: PreferredAnswer
    first: tuple[Score, ...]
    second: tuple[Score, ...]
    rationale: str
    version: str


class Judge:
    """Scores with the judge version that is live for the tenant, or that the request names. Where
    that is a reward model, its score stands beside those of the baseline.
    """

    def __init__(self, releases: ReleaseView, publisher: Publisher, rewards: Rewards) -> None:
        self._releases = releases
        self._publisher = publisher
        self._rewards = rewards
        self._turns = Turns("judge")

    async def judge_interaction(self, event: InteractionCompleted) -> None:
        """Publish a verdict. Raises Retryable: a newer judge than this is live, Kafka is down."""
        # What failed or was broken off holds nothing to score, and its outcome says so already.
        if event.outcome not in (Outcome.ANSWERED, Outcome.ABSTAINED):
            return
        try:
            judge = _known(self._releases.live(event.tenant, Roles.JUDGE))
        except FailedPrecondition as error:
            raise Retryable(str(error)) from error
        answer = "" if event.outcome is Outcome.ABSTAINED else event.answer
        passages = [chunk.text for chunk in _ranked(event) if chunk.used]
        scores = await self._in_turn(_scores_of(event), len(event.answer))
        verdict = InteractionJudged(
            tenant=event.tenant,
            interaction_id=event.interaction_id,
            judge_version=judge.version,
            scores=(
                *scores,
                *await self._reward(judge, event.question, passages, answer),
            ),
            judged_at=now(),
        )
        event_id = derived_id(event.interaction_id, f"judge/{judge.version}")
        await self._publisher.publish(INTERACTION_JUDGED, verdict, event_id=event_id)

    async def judge(
        self, question: str, answer: str, passages: Sequence[str]
    ) -> tuple[tuple[Score, ...], str]:
        """The scores and the version of the judge; an answer without words declines. Raises
        InvalidInput; FailedPrecondition: the version is not here, or is one that the request names
        and cannot score this.
        """
        _check(question=question, answer=answer, passages=passages)
        judge = self._requested()
        scores = await self._in_turn(
            _scores_of_texts(question, answer, passages), _length(question, answer, *passages)
        )
        return (*scores, *await self._reward(judge, question, passages, answer)), judge.version

    async def compare(
        self, question: str, first: str, second: str, passages: Sequence[str]
    ) -> AnswerComparison:
        """By the rewards where there are both, else by the mean of groundedness and substance.
        Raises as `judge` does.
        """
        _check(question=question, first=first, second=second, passages=passages)
        judge = self._requested()
        by_words = await self._in_turn(
            _compare_words(question, (first, second), passages, judge.version),
            _length(question, first, second, *passages),
        )
        rewards = [
            await self._reward(judge, question, passages, answer) for answer in (first, second)
        ]
        compared = replace(
            by_words,
            first=(*by_words.first, *rewards[0]),
            second=(*by_words.second, *rewards[1]),
        )
        values = [each.value for scores in rewards for each in scores if each.value is not None]
        return _compare_rewards(compared, *values) if len(values) == 2 else compared

    async def _in_turn(self, steps: Steps[T], characters: int) -> T:
        """Callers take turns, and who has gone is not worked for. Raises TooManyCalls."""
        async with self._turns.call(characters) as call:
            return await call.go_through(steps)

    async def _reward(
        self, judge: Artifact, question: str, passages: Sequence[str], answer: str
    ) -> tuple[Score, ...]:
        """None of a judge without a reward model. Raises FailedPrecondition where the request
        names one that cannot score this; live says why in place of a value.
        """
        if judge.settings.get("method") != REWARD_METHOD:
            return ()
        remaining = request_context().remaining()
        # The other half is for the caller, who may do without.
        within = None if remaining is None else remaining / 2
        try:
            reward = await self._rewards.of(judge, question, passages, answer, within=within)
        except FailedPrecondition as error:
            if Roles.JUDGE in request_context().versions:
                raise
            return (metrics.no_score(REWARD, str(error)),)
        value = 1 / (1 + math.exp(-max(-_MOST_REWARD, min(reward, _MOST_REWARD))))
        return (Score(metric=REWARD, value=value, rationale=f"a reward of {reward:+.2f}"),)

    def _requested(self) -> Artifact:
        """What the request names, or else what is live."""
        context = request_context()
        named = context.versions.get(Roles.JUDGE)
        if named is None:
            return _known(self._releases.live(context.tenant, Roles.JUDGE))
        return _known(self._releases.named(context.tenant, Roles.JUDGE, named))


def _known(judge: Artifact) -> Artifact:
    method = judge.settings.get("method", BASELINE)
    if method not in (BASELINE, REWARD_METHOD):
        raise FailedPrecondition(
            f"judge version {judge.version} needs method {method!r}, which this process does "
            "not have: roll it back or start a newer judge"
        )
    return judge


def _compare_words(
    question: str, answers: tuple[str, str], passages: Sequence[str], version: str
) -> Steps[AnswerComparison]:
    weighted = yield from WeightedPassages.read(passages)
    scores, totals = [], []
    for answer in answers:
        by_words = yield from _scores(question, answer, weighted, weighted)
        substance = yield from metrics.substance(answer, weighted)
        scores.append((*by_words, substance))
        # Relevance by words does not agree with people (bench/judge/README.md).
        counted = [s.value for s in scores[-1] if s.metric in _COMPARED and s.value is not None]
        totals.append(sum(counted) / len(counted) if counted else 0.0)
    return AnswerComparison(
        preference=_preference(totals[0] - totals[1]),
        first=scores[0],
        second=scores[1],
        rationale=f"{' and '.join(_COMPARED)}: {totals[0]:.2f} and {totals[1]:.2f}",
        version=version,
    )


def _compare_rewards(compared: AnswerComparison, first: float, second: float) -> AnswerComparison:
    """By how likely people prefer the first: σ of the difference of the rewards."""
    odds = first * (1 - second), second * (1 - first)
    likely = odds[0] / sum(odds)
    return replace(
        compared,
        preference=_preference(2 * likely - 1),
        rationale=f"{REWARD}: the first is preferred with a probability of {likely:.2f}",
    )


def _preference(ahead: float) -> PreferredAnswer:
    if abs(ahead) <= TIE:
        return PreferredAnswer.TIE
    return PreferredAnswer.FIRST if ahead > 0 else PreferredAnswer.SECOND


def _scores_of(event: InteractionCompleted) -> Steps[tuple[Score, ...]]:
    ranked = _ranked(event)
    used = yield from _read([chunk for chunk in ranked if chunk.used])
    retrieved = yield from _read(ranked)
    if event.outcome is Outcome.ABSTAINED:
        not_claimed = (metrics.GROUNDEDNESS, metrics.ANSWER_RELEVANCE)
        unclaimed = [metrics.no_score(name, "nothing was claimed") for name in not_claimed]
        return (*unclaimed, metrics.context_precision(event.question, retrieved))
    return (yield from _scores(event.question, event.answer, used, retrieved))


def _read(chunks: Sequence[RetrievedChunk]) -> Steps[WeightedPassages]:
    return WeightedPassages.read(
        [chunk.text for chunk in chunks],
        [context_line(chunk.title, chunk.heading_path) for chunk in chunks],
    )


def _ranked(event: InteractionCompleted) -> list[RetrievedChunk]:
    return sorted(event.retrieved, key=lambda chunk: chunk.rank)


def _scores_of_texts(
    question: str, answer: str, passages: Sequence[str]
) -> Steps[tuple[Score, ...]]:
    weighted = yield from WeightedPassages.read(passages)
    return (yield from _scores(question, answer, weighted, weighted))


def _scores(
    question: str, answer: str, used: WeightedPassages, retrieved: WeightedPassages
) -> Steps[tuple[Score, ...]]:
    """Groundedness is held against what was read; precision against all that was retrieved."""
    return (
        (yield from metrics.groundedness(answer, used)),
        metrics.answer_relevance(question, answer),
        metrics.context_precision(question, retrieved),
    )


def _length(*texts: str) -> int:
    return sum(map(len, texts))


def _check(*, question: str, passages: Sequence[str], **answers: str) -> None:
    if not question.strip():
        raise InvalidInput("question", "is empty", "send the question that was answered")
    if len(passages) > MAX_PASSAGES:
        fix = f"send the best {MAX_PASSAGES} at most"
        raise InvalidInput("passages", f"are {len(passages)}", fix)
    longest = max(passages, key=len, default="")
    for name, text in {"question": question, **answers, "passages": longest}.items():
        if len(text) > MAX_TEXT:
            raise InvalidInput(name, f"has {len(text):,} characters", f"send at most {MAX_TEXT:,}")
