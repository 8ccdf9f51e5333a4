"""Reference-free metrics by words alone: a baseline, documented as one in the README."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gyre_common.events.interactions import Score
from gyre_common.text import Kind, content_terms, numbers, sentences, terms

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
_NEGATIONS = frozenset({"not", "no", "never", "none", "neither", "nor", "cannot", "without"})


@dataclass(frozen=True)
class Statement:
    """A sentence, and what must agree between a claim and its source."""

    text: str
    terms: frozenset[str]
    numbers: frozenset[str]
    negated: bool


def statements(text: str) -> list[Statement]:
    """The sentences that say something; headings and lone symbols do not."""
    return [
        Statement(
            text=sentence.text,
            terms=meaning,
            numbers=numbers(sentence.text),
            negated=any(w in _NEGATIONS or w.endswith("n't") for w in terms(sentence.text)),
        )
        for sentence in sentences(text)
        if (meaning := frozenset(content_terms(sentence.text)))
        and sentence.kind is not Kind.HEADING
    ]


class WeightedPassages:
    """The passages of one answer, best first, and how much each term tells among them."""

    def __init__(self, texts: Sequence[str], headings: Sequence[str] = ()) -> None:
        self.texts = tuple(texts)
        pairs = zip(headings or ("",) * len(texts), texts, strict=True)
        headed = [f"{heading}\n{text}" for heading, text in pairs]
        self.terms = [frozenset(content_terms(text)) for text in headed]
        self.numbers = [numbers(text) for text in headed]

    @cached_property
    def statements(self) -> Sequence[Sequence[Statement]]:
        """The statements of each passage."""
        return [statements(text) for text in self.texts]

    @cached_property
    def _counts(self) -> Counter[str]:
        return Counter(term for group in self.statements for s in group for term in s.terms)

    def share(self, statement: Statement, source_terms: frozenset[str]) -> float:
        """Share of the statement's weight that `source_terms` have; weights are inverse document
        frequencies over the passages' sentences, so that what is everywhere counts little.
        """
        n = sum(len(group) for group in self.statements)
        weights = {
            term: math.log(1 + (n - self._counts[term] + 0.5) / (self._counts[term] + 0.5))
            for term in statement.terms
        }
        return sum(w for t, w in weights.items() if t in source_terms) / sum(weights.values())


def groundedness(answer: str, passages: WeightedPassages) -> Score:
    """Share of the answer's sentences that a passage supports: it holds `SUPPORTED_FROM` of the
    sentence's weight and all its numbers, and its nearest sentence does not say the opposite.
    """
    answer_statements = statements(answer)
    if not answer_statements:
        return no_score(GROUNDEDNESS, "nothing was said")
    if not passages.texts:
        return no_score(GROUNDEDNESS, "there are no passages to hold it against")
    doubts = [(*_doubt(each, passages), each.text) for each in answer_statements]
    unsupported = [each for each in doubts if each[1]]
    supported_count = len(doubts) - len(unsupported)
    rationale = f"{supported_count} of {len(doubts)} sentences supported"
    if unsupported:
        _, reason, text = min(unsupported, key=lambda each: each[0])
        flat = " ".join(text.split())
        quote = flat if len(flat) <= _QUOTE_CHARACTERS else f"{flat[: _QUOTE_CHARACTERS - 1]}…"
        rationale += f'; not: "{quote}" ({reason})'
    return Score(metric=GROUNDEDNESS, value=supported_count / len(doubts), rationale=rationale)


def _doubt(statement: Statement, passages: WeightedPassages) -> tuple[float, str]:
    """How much of the sentence one passage carries, and what speaks against it; "" if nothing."""
    shares = [passages.share(statement, passage_terms) for passage_terms in passages.terms]
    share = max(shares)
    best = shares.index(share)
    if share < SUPPORTED_FROM:
        missing = sorted(statement.terms - passages.terms[best])[:5]
        return share, f"{share:.0%} in one passage, without {missing}"
    if unknown := sorted(statement.numbers - passages.numbers[best]):
        return share, f"its passage does not name {', '.join(unknown[:3])}"
    nearest = max(
        passages.statements[best],
        key=lambda source: passages.share(statement, source.terms),
        default=statement,
    )
    is_near = passages.share(statement, nearest.terms) >= _CONTRADICTION_FROM
    if is_near and nearest.negated != statement.negated:
        return share, "the nearest sentence says the opposite"
    return share, ""


def answer_relevance(question: str, answer: str) -> Score:
    """Share of the question's terms that the answer takes up."""
    question_terms, answer_terms = frozenset(content_terms(question)), content_terms(answer)
    if not question_terms:
        return no_score(ANSWER_RELEVANCE, "the question has no terms to look for")
    if not answer_terms:
        return no_score(ANSWER_RELEVANCE, "nothing was said")
    missing, total = sorted(question_terms.difference(answer_terms)), len(question_terms)
    shared = total - len(missing)
    rationale = f"takes up {shared} of {total} terms of the question"
    if missing:
        rationale += f"; not {', '.join(missing[:5])}"
    return Score(metric=ANSWER_RELEVANCE, value=shared / total, rationale=rationale)


def context_precision(question: str, passages: WeightedPassages) -> Score:
    """Mean of precision@k over the ranks k of the relevant passages (average precision): 1 when all
    relevant passages stand before all others, 0 when none is relevant.
    """
    question_terms = frozenset(content_terms(question))
    if not passages.texts:
        return no_score(CONTEXT_PRECISION, "nothing was retrieved")
    if not question_terms:
        return no_score(CONTEXT_PRECISION, "the question has no terms to look for")
    hits, total = 0, 0.0
    for rank, passage_terms in enumerate(passages.terms, start=1):
        if len(question_terms & passage_terms) / len(question_terms) >= RELEVANT_FROM:
            hits += 1
            total += hits / rank
    bar = f"{RELEVANT_FROM:.0%} of the question's terms"
    return Score(
        metric=CONTEXT_PRECISION,
        value=total / hits if hits else 0.0,
        rationale=f"{hits} of {len(passages.texts)} passages hold {bar}",
    )


def substance(answer: str, passages: WeightedPassages) -> Score:
    """How much is said: distinct terms of the sentences that are supported (of all sentences where
    there are no passages), on a log scale that ends at `_SUBSTANCE_TERMS`. It only serves
    comparisons: alone it would reward length.
    """
    answer_statements = statements(answer)
    if passages.texts:
        answer_statements = [s for s in answer_statements if not _doubt(s, passages)[1]]
    count = len({term for statement in answer_statements for term in statement.terms})
    value = min(math.log1p(count) / math.log1p(_SUBSTANCE_TERMS), 1.0)
    return Score(metric=SUBSTANCE, value=value, rationale=f"{count} distinct terms")


def no_score(metric: str, why: str) -> Score:
    """Of a metric that does not apply."""
    return Score(metric=metric, value=None, rationale=why)
