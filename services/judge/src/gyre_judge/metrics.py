"""Reference-free metrics by words alone: a baseline, documented as one in the README."""

import math
from dataclasses import dataclass

from gyre_common.events.interactions import Score
from gyre_common.text import content_terms

from gyre_judge.reading import Passages, Statement, statements

GROUNDEDNESS = "groundedness"
ANSWER_RELEVANCE = "answer_relevance"
CONTEXT_PRECISION = "context_precision"
SUBSTANCE = "substance"

SUPPORTED_FROM = 0.7
"""Share of a sentence's weight that one passage must hold; chosen in bench/judge."""

RELEVANT_FROM = 0.5
"""Share of a question's terms that a relevant passage holds."""

_OPPOSED_FROM = 0.6
_MUCH = 300
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Support:
    """How well the passages carry one sentence; `reason` tells what is missing."""

    statement: Statement
    share: float
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the sentence counts as supported."""
        return not self.reason


def groundedness(answer: str, passages: Passages) -> Score:
    """Share of the answer's sentences that a passage supports: it holds `SUPPORTED_FROM` of the
    sentence's weight and all its numbers, and its nearest sentence does not say the opposite.
    """
    said = statements(answer)
    if not said:
        return _none(GROUNDEDNESS, "nothing was said")
    if not passages.texts:
        return _none(GROUNDEDNESS, "there are no passages to hold it against")
    found = [supported(statement, passages) for statement in said]
    held = sum(support.holds for support in found)
    rationale = f"{held} of {len(found)} sentences supported"
    if worst := min((s for s in found if not s.holds), key=lambda s: s.share, default=None):
        rationale += f'; not: "{_short(worst.statement.text)}" ({worst.reason})'
    return Score(metric=GROUNDEDNESS, value=held / len(found), rationale=rationale)


def supported(statement: Statement, passages: Passages) -> Support:
    """The support of the passage that carries most of the sentence."""
    shares = [passages.share(statement.terms, held) for held in passages.terms]
    best = max(range(len(shares)), key=shares.__getitem__)
    share = shares[best]
    if share < SUPPORTED_FROM:
        missing = sorted(statement.terms - passages.terms[best])[:5]
        return Support(statement, share, f"{share:.0%} in one passage, without {missing}")
    if unknown := sorted(statement.numbers - passages.numbers[best]):
        return Support(statement, share, f"its passage does not name {', '.join(unknown[:3])}")
    if _opposed(statement, passages, best):
        return Support(statement, share, "the nearest sentence says the opposite")
    return Support(statement, share)


def _opposed(statement: Statement, passages: Passages, which: int) -> bool:
    """Whether the sentence that shares most says yes where this one says no, or the reverse."""
    near = max(
        passages.statements[which],
        key=lambda source: passages.share(statement.terms, source.terms),
        default=None,
    )
    if near is None or passages.share(statement.terms, near.terms) < _OPPOSED_FROM:
        return False
    return near.negated != statement.negated


def answer_relevance(question: str, answer: str) -> Score:
    """Share of the question's terms that the answer takes up."""
    asked = frozenset(content_terms(question))
    if not asked:
        return _none(ANSWER_RELEVANCE, "the question has no terms to look for")
    if not content_terms(answer):
        return _none(ANSWER_RELEVANCE, "nothing was said")
    told = frozenset(content_terms(answer))
    left = sorted(asked - told)[:5]
    rationale = f"takes up {len(asked & told)} of {len(asked)} terms of the question"
    return Score(
        metric=ANSWER_RELEVANCE,
        value=len(asked & told) / len(asked),
        rationale=f"{rationale}; not {', '.join(left)}" if left else rationale,
    )


def context_precision(question: str, passages: Passages) -> Score:
    """Mean of precision@k over the ranks k of the relevant passages (average precision): 1 when all
    relevant passages stand before all others, 0 when none is relevant.
    """
    asked = frozenset(content_terms(question))
    if not passages.texts:
        return _none(CONTEXT_PRECISION, "nothing was retrieved")
    if not asked:
        return _none(CONTEXT_PRECISION, "the question has no terms to look for")
    relevant = [len(asked & held) / len(asked) >= RELEVANT_FROM for held in passages.terms]
    hits, total, bar = 0, 0.0, f"{RELEVANT_FROM:.0%} of the question's terms"
    for rank, hit in enumerate(relevant, start=1):
        hits += hit
        total += hits / rank if hit else 0.0
    return Score(
        metric=CONTEXT_PRECISION,
        value=total / hits if hits else 0.0,
        rationale=f"{hits} of {len(relevant)} passages hold {bar}",
    )


def substance(answer: str, passages: Passages) -> Score:
    """How much is said: distinct terms of the sentences that are supported (of all sentences where
    there are no passages), on a log scale that ends at `_MUCH`. It only serves comparisons: alone
    it would reward length.
    """
    said = statements(answer)
    if passages.texts:
        said = [s for s in said if supported(s, passages).holds]
    count = len(frozenset[str]().union(*(s.terms for s in said)))
    value = min(math.log1p(count) / math.log1p(_MUCH), 1.0)
    return Score(metric=SUBSTANCE, value=value, rationale=f"{count} distinct terms")


def _none(metric: str, why: str) -> Score:
    return Score(metric=metric, value=None, rationale=why)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + "…"
