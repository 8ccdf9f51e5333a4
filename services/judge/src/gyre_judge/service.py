"""Scores answers without a reference: those that were given, and those that are shown to it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gyre_common.errors import FailedPrecondition, InvalidInput, Retryable
from gyre_common.events.event import derived_id, now
from gyre_common.events.interactions import (
    INTERACTION_JUDGED,
    InteractionCompleted,
    InteractionJudged,
    Outcome,
    Score,
)
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Roles
from gyre_common.passages import context_line
from gyre_common.releases import ReleaseView

from gyre_judge import metrics
from gyre_judge.metrics import WeightedPassages

METHOD = "baseline"
TIE = 0.02
"""Answers whose totals differ less are equally good; chosen on the tuning half of bench/judge."""

MAX_TEXT = 65_536
MAX_PASSAGES = 100
_COMPARED = (metrics.GROUNDEDNESS, metrics.SUBSTANCE)


class Preference(StrEnum):
    """Which of two answers is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """The scores of two answers and what follows."""

    preference: Preference
    first: tuple[Score, ...]
    second: tuple[Score, ...]
    rationale: str
    version: str


class Judge:
    """Scores with the judge version that is live for the tenant."""

    def __init__(self, releases: ReleaseView, publisher: Publisher) -> None:
        self._releases = releases
        self._publisher = publisher

    async def judge_interaction(self, event: InteractionCompleted) -> None:
        """Publish a verdict. Raises Retryable: a newer judge than this is live, Kafka is down."""
        # What failed or was broken off holds nothing to score, and its outcome says so already.
        if event.outcome not in (Outcome.ANSWERED, Outcome.ABSTAINED):
            return
        try:
            version = self._version(event.tenant)
        except FailedPrecondition as error:
            raise Retryable(str(error)) from error
        verdict = InteractionJudged(
            tenant=event.tenant,
            interaction_id=event.interaction_id,
            judge_version=version,
            scores=await asyncio.to_thread(_scores_of, event),
            judged_at=now(),
        )
        event_id = derived_id(event.interaction_id, f"judge/{version}")
        await self._publisher.publish(INTERACTION_JUDGED, verdict, event_id=event_id)

    def judge(
        self, tenant: str, question: str, answer: str, passages: Sequence[str]
    ) -> tuple[tuple[Score, ...], str]:
        """The scores and the version of the judge. Raises InvalidInput, FailedPrecondition."""
        _check(question=question, answer=answer, passages=passages)
        weighted = WeightedPassages(passages)
        return _scores(question, answer, weighted, weighted), self._version(tenant)

    def compare(
        self, tenant: str, question: str, first: str, second: str, passages: Sequence[str]
    ) -> AnswerComparison:
        """By the mean of groundedness and substance. Raises as `judge` does."""
        _check(question=question, first=first, second=second, passages=passages)
        weighted = WeightedPassages(passages)
        scores, totals = [], []
        for answer in (first, second):
            substance = metrics.substance(answer, weighted)
            scores.append((*_scores(question, answer, weighted, weighted), substance))
            # Relevance by words does not agree with people (bench/judge/README.md).
            counted = [s.value for s in scores[-1] if s.metric in _COMPARED and s.value is not None]
            totals.append(sum(counted) / len(counted) if counted else 0.0)
        preference = Preference.FIRST if totals[0] > totals[1] else Preference.SECOND
        return AnswerComparison(
            preference=Preference.TIE if abs(totals[0] - totals[1]) <= TIE else preference,
            first=scores[0],
            second=scores[1],
            rationale=f"{' and '.join(_COMPARED)}: {totals[0]:.2f} and {totals[1]:.2f}",
            version=self._version(tenant),
        )

    def _version(self, tenant: str) -> str:
        live = self._releases.live(tenant, Roles.JUDGE)
        method = live.settings.get("method", METHOD)
        if method != METHOD:
            raise FailedPrecondition(
                f"judge version {live.version} needs method {method!r}, which this process does "
                "not have: roll it back or start a newer judge"
            )
        return live.version


def _scores_of(event: InteractionCompleted) -> tuple[Score, ...]:
    ranked = sorted(event.retrieved, key=lambda chunk: chunk.rank)
    used, retrieved = (
        WeightedPassages(
            [chunk.text for chunk in chunks],
            [context_line(chunk.title, chunk.heading_path) for chunk in chunks],
        )
        for chunks in ([chunk for chunk in ranked if chunk.used], ranked)
    )
    if event.outcome is Outcome.ABSTAINED:
        not_claimed = (metrics.GROUNDEDNESS, metrics.ANSWER_RELEVANCE)
        unclaimed = [metrics.no_score(name, "nothing was claimed") for name in not_claimed]
        return (*unclaimed, metrics.context_precision(event.question, retrieved))
    return _scores(event.question, event.answer, used, retrieved)


def _scores(
    question: str, answer: str, used: WeightedPassages, retrieved: WeightedPassages
) -> tuple[Score, ...]:
    """Groundedness is held against what was read; precision against all that was retrieved."""
    return (
        metrics.groundedness(answer, used),
        metrics.answer_relevance(question, answer),
        metrics.context_precision(question, retrieved),
    )


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
