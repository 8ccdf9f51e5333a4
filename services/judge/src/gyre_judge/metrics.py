"""Reference-free metrics by words alone: a baseline, documented as one in the README."""

import math
from dataclasses import dataclass

from gyre_common.events.interactions import Score
from gyre_common.text import content_terms

from gyre_judge.statements import Statement, WeightedPassages, statements

GROUNDEDNESS = "groundedness"
ANSWER_RELEVANCE = "answer_relevance"
CONTEXT_PRECISION = "context_precision"
SUBSTANCE = "substance"

SUPPORTED_FROM = 0.7
"""Share of a sentence's weight that one passage must hold; chosen in bench/judge."""

RELEVANT_FROM = 0.5
"""Share of a question's terms that a relevant passage holds."""

_CONTRADICTION_FROM = 0.6
_SUBSTANCE_TERMS = 300
_QUOTE_CHARACTERS = 120


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


def groundedness(answer: str, passages: WeightedPassages) -> Score:
    """Share of the answer's sentences that a passage supports: it holds `SUPPORTED_FROM` of the
    sentence's weight and all its numbers, and its nearest sentence does not say the opposite.
    """
    answer_statements = statements(answer)
    if not answer_statements:
        return _no_score(GROUNDEDNESS, "nothing was said")
    if not passages.texts:
        return _no_score(GROUNDEDNESS, "there are no passages to hold it against")
    supports = [support_of(statement, passages) for statement in answer_statements]
    supported_count = sum(support.holds for support in supports)
    rationale = f"{supported_count} of {len(supports)} sentences supported"
    if worst := min((s for s in supports if not s.holds), key=lambda s: s.share, default=None):
        rationale += f'; not: "{_short(worst.statement.text)}" ({worst.reason})'
    return Score(metric=GROUNDEDNESS, value=supported_count / len(supports), rationale=rationale)


def support_of(statement: Statement, passages: WeightedPassages) -> Support:
    """The support of the passage that carries most of the sentence."""
    shares = [passages.share(statement.terms, passage_terms) for passage_terms in passages.terms]
    best = max(range(len(shares)), key=shares.__getitem__)
    share = shares[best]
    if share < SUPPORTED_FROM:
        missing = sorted(statement.terms - passages.terms[best])[:5]
        return Support(statement, share, f"{share:.0%} in one passage, without {missing}")
    if unknown := sorted(statement.numbers - passages.numbers[best]):
        return Support(statement, share, f"its passage does not name {', '.join(unknown[:3])}")
    if _is_contradicted(statement, passages, best):
        return Support(statement, share, "the nearest sentence says the opposite")
    return Support(statement, share)


def _is_contradicted(statement: Statement, passages: WeightedPassages, position: int) -> bool:
    """Whether the sentence that shares most says yes where this one says no, or the reverse."""
    nearest = max(
        passages.statements[position],
        key=lambda source: passages.share(statement.terms, source.terms),
        default=None,
    )
    if nearest is None or passages.share(statement.terms, nearest.terms) < _CONTRADICTION_FROM:
        return False
    return nearest.negated != statement.negated


def answer_relevance(question: str, answer: str) -> Score:
    """Share of the question's terms that the answer takes up."""
    question_terms = frozenset(content_terms(question))
    if not question_terms:
        return _no_score(ANSWER_RELEVANCE, "the question has no terms to look for")
    if not content_terms(answer):
        return _no_score(ANSWER_RELEVANCE, "nothing was said")
    answer_terms = frozenset(content_terms(answer))
    missing = sorted(question_terms - answer_terms)[:5]
    shared, total = len(question_terms & answer_terms), len(question_terms)
    rationale = f"takes up {shared} of {total} terms of the question"
    return Score(
        metric=ANSWER_RELEVANCE,
        value=shared / total,
        rationale=f"{rationale}; not {', '.join(missing)}" if missing else rationale,
    )


def context_precision(question: str, passages: WeightedPassages) -> Score:
    """Mean of precision@k over the ranks k of the relevant passages (average precision): 1 when all
    relevant passages stand before all others, 0 when none is relevant.
    """
    question_terms = frozenset(content_terms(question))
    if not passages.texts:
        return _no_score(CONTEXT_PRECISION, "nothing was retrieved")
    if not question_terms:
        return _no_score(CONTEXT_PRECISION, "the question has no terms to look for")
    relevant = [
        len(question_terms & passage_terms) / len(question_terms) >= RELEVANT_FROM
        for passage_terms in passages.terms
    ]
    hits, total, bar = 0, 0.0, f"{RELEVANT_FROM:.0%} of the question's terms"
    for rank, hit in enumerate(relevant, start=1):
        hits += hit
        total += hits / rank if hit else 0.0
    return Score(
        metric=CONTEXT_PRECISION,
        value=total / hits if hits else 0.0,
        rationale=f"{hits} of {len(relevant)} passages hold {bar}",
    )


def substance(answer: str, passages: WeightedPassages) -> Score:
    """How much is said: distinct terms of the sentences that are supported (of all sentences where
    there are no passages), on a log scale that ends at `_SUBSTANCE_TERMS`. It only serves
    comparisons: alone it would reward length.
    """
    answer_statements = statements(answer)
    if passages.texts:
        answer_statements = [s for s in answer_statements if support_of(s, passages).holds]
    count = len(frozenset[str]().union(*(s.terms for s in answer_statements)))
    value = min(math.log1p(count) / math.log1p(_SUBSTANCE_TERMS), 1.0)
    return Score(metric=SUBSTANCE, value=value, rationale=f"{count} distinct terms")


def _no_score(metric: str, why: str) -> Score:
    return Score(metric=metric, value=None, rationale=why)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _QUOTE_CHARACTERS else flat[: _QUOTE_CHARACTERS - 1] + "…"
