"""Scores answers without a reference: those that were given, and those that are shown to it."""

import asyncio
import logging
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
from gyre_common.events.releases import Artifact, Roles
from gyre_common.passages import context_line
from gyre_common.releases import ReleaseView

from gyre_judge.metrics import (
    ANSWER_RELEVANCE,
    GROUNDEDNESS,
    SUBSTANCE,
    answer_relevance,
    context_precision,
    groundedness,
    substance,
)
from gyre_judge.statements import WeightedPassages

log = logging.getLogger(__name__)

METHOD = "baseline"
TIE = 0.02
"""Answers whose totals differ less are equally good; chosen on the tuning half of bench/judge."""

MAX_TEXT = 65_536
MAX_PASSAGES = 100

_JUDGED_OUTCOMES = frozenset({Outcome.ANSWERED, Outcome.ABSTAINED})


class Preference(StrEnum):
    """Which of two answers is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The scores of one answer, and which judge gave them."""

    scores: tuple[Score, ...]
    version: str


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """Two verdicts and what follows."""

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
        """Publish a verdict. An answer that failed or was broken off gets none: there is nothing
        to score, and its outcome says so already.

        Raises:
            Retryable: the live judge version is newer than this process; Kafka is down.
        """
        if event.outcome not in _JUDGED_OUTCOMES:
            return
        try:
            version = self._version(event.tenant)
        except FailedPrecondition as error:
            raise Retryable(str(error)) from error
        scores = await asyncio.to_thread(_scores_of, event)
        verdict = InteractionJudged(
            tenant=event.tenant,
            interaction_id=event.interaction_id,
            judge_version=version,
            scores=scores,
            judged_at=now(),
        )
        await self._publisher.publish(
            INTERACTION_JUDGED,
            verdict,
            event_id=derived_id(event.interaction_id, f"judge/{version}"),
        )

    def judge(self, tenant: str, question: str, answer: str, passages: Sequence[str]) -> Judgement:
        """Score an answer. Raises InvalidInput, and FailedPrecondition without a live version."""
        _check(question=question, answer=answer, passages=passages)
        weighted = WeightedPassages(passages)
        return Judgement(_all_scores(question, answer, weighted), self._version(tenant))

    def compare(
        self, tenant: str, question: str, first: str, second: str, passages: Sequence[str]
    ) -> AnswerComparison:
        """Tell which answer is better: more of it is supported, and it says more of what is.

        Raises as `judge` does.
        """
        _check(question=question, first=first, second=second, passages=passages)
        weighted = WeightedPassages(passages)
        scores = [
            (*_all_scores(question, answer, weighted), substance(answer, weighted))
            for answer in (first, second)
        ]
        totals = [_total(answer_scores) for answer_scores in scores]
        return AnswerComparison(
            preference=_prefer(*totals),
            first=scores[0],
            second=scores[1],
            rationale=f"{GROUNDEDNESS} and {SUBSTANCE}: {totals[0]:.2f} and {totals[1]:.2f}",
            version=self._version(tenant),
        )

    def _version(self, tenant: str) -> str:
        live: Artifact = self._releases.live(tenant, Roles.JUDGE)
        method = live.settings.get("method", METHOD)
        if method != METHOD:
            raise FailedPrecondition(
                f"judge version {live.version} needs method {method!r}, which this process does "
                "not have: roll it back or start a newer judge"
            )
        return live.version


def _scores_of(event: InteractionCompleted) -> tuple[Score, ...]:
    """Groundedness is held against what was read; precision against all that was retrieved."""
    ranked = sorted(event.retrieved, key=lambda chunk: chunk.rank)
    headings = [context_line(chunk.title, chunk.heading_path) for chunk in ranked]
    retrieved = WeightedPassages([chunk.text for chunk in ranked], headings)
    precision = context_precision(event.question, retrieved)
    if event.outcome is Outcome.ABSTAINED:
        why = "nothing was claimed"
        return (
            Score(metric=GROUNDEDNESS, value=None, rationale=why),
            Score(metric=ANSWER_RELEVANCE, value=None, rationale=why),
            precision,
        )
    used = [(c, h) for c, h in zip(ranked, headings, strict=True) if c.used]
    used_passages = WeightedPassages([c.text for c, _ in used], [h for _, h in used])
    return (
        groundedness(event.answer, used_passages),
        answer_relevance(event.question, event.answer),
        precision,
    )


def _all_scores(question: str, answer: str, passages: WeightedPassages) -> tuple[Score, ...]:
    return (
        groundedness(answer, passages),
        answer_relevance(question, answer),
        context_precision(question, passages),
    )


def _total(scores: Sequence[Score]) -> float:
    """Mean of groundedness and substance. Relevance by words is left out: it does not agree with
    people (bench/judge/README.md).
    """
    counted = [s.value for s in scores if s.metric in (GROUNDEDNESS, SUBSTANCE)]
    values = [value for value in counted if value is not None]
    return sum(values) / len(values) if values else 0.0


def _prefer(first: float, second: float) -> Preference:
    if abs(first - second) <= TIE:
        return Preference.TIE
    return Preference.FIRST if first > second else Preference.SECOND


def _check(*, question: str, passages: Sequence[str], **answers: str) -> None:
    if not question.strip():
        raise InvalidInput("question", "is empty", "send the question that was answered")
    if len(passages) > MAX_PASSAGES:
        raise InvalidInput(
            "passages", f"are {len(passages)}", f"send the best {MAX_PASSAGES} at most"
        )
    longest = max(passages, key=len, default="")
    for name, text in {"question": question, **answers, "passages": longest}.items():
        if len(text) > MAX_TEXT:
            raise InvalidInput(name, f"has {len(text):,} characters", f"send at most {MAX_TEXT:,}")
