"""Reference-free metrics by words alone: a baseline, documented as one in the README."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.events.interactions import Score
from gyre_common.text import Kind, content_terms, numbers, sentences, terms
from gyre_common.turns import Steps

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

    def __init__(self) -> None:
        self.terms: list[frozenset[str]] = []
        self.numbers: list[frozenset[str]] = []
        self.statements: list[Sequence[Statement]] = []
        self._counts: Counter[str] = Counter()
        self._sentence_count = 0

    @classmethod
    def read(cls, texts: Sequence[str], headings: Sequence[str] = ()) -> "Steps[WeightedPassages]":
        """One step a passage."""
        passages = cls()
        for heading, text in zip(headings or ("",) * len(texts), texts, strict=True):
            passages._add(text, f"{heading}\n{text}")
            yield
        return passages

    def _add(self, text: str, headed: str) -> None:
        self.terms.append(frozenset(content_terms(headed)))
        self.numbers.append(numbers(headed))
        stated = statements(text)
        self.statements.append(stated)
        self._counts.update(term for each in stated for term in each.terms)
        self._sentence_count += len(stated)

    def weights(self, statement: Statement) -> Mapping[str, float]:
        """Inverse document frequencies over the passages' sentences, so that what is everywhere
        counts little; in sum 1.
        """
        n = self._sentence_count
        weights = {
            term: math.log(1 + (n - self._counts[term] + 0.5) / (self._counts[term] + 0.5))
            for term in statement.terms
        }
        total = math.fsum(weights.values())
        return {term: weight / total for term, weight in weights.items()}


def _share(weights: Mapping[str, float], source_terms: frozenset[str]) -> float:
    """Of a statement's weight, what a source's terms carry."""
    return math.fsum(weights[term] for term in source_terms.intersection(weights))


def groundedness(answer: str, passages: WeightedPassages) -> Steps[Score]:
    """Share of the answer's sentences that a passage supports: it holds `SUPPORTED_FROM` of the
    sentence's weight and all its numbers, and its nearest sentence does not say the opposite.
    One step a sentence.
    """
    answer_statements = statements(answer)
    if not answer_statements:
        return no_score(GROUNDEDNESS, "nothing was said")
    if not passages.terms:
        return no_score(GROUNDEDNESS, "there are no passages to hold it against")
    doubts = []
    for each in answer_statements:
        doubts.append((*_doubt(each, passages), each.text))
        yield
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
    weights = passages.weights(statement)
    shares = [_share(weights, passage_terms) for passage_terms in passages.terms]
    share = max(shares)
    best = shares.index(share)
    if share < SUPPORTED_FROM:
        missing = sorted(statement.terms - passages.terms[best])[:5]
        return share, f"{share:.0%} in one passage, without {missing}"
    if unknown := sorted(statement.numbers - passages.numbers[best]):
        return share, f"its passage does not name {', '.join(unknown[:3])}"
    nearest = max(
        passages.statements[best],
        key=lambda source: _share(weights, source.terms),
        default=statement,
    )
    is_near = _share(weights, nearest.terms) >= _CONTRADICTION_FROM
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
    if not passages.terms:
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
        rationale=f"{hits} of {len(passages.terms)} passages hold {bar}",
    )


def substance(answer: str, passages: WeightedPassages) -> Steps[Score]:
    """How much is said: distinct terms of the sentences that are supported (of all sentences where
    there are no passages), on a log scale that ends at `_SUBSTANCE_TERMS`. It only serves
    comparisons: alone it would reward length. One step a sentence.
    """
    covered: set[str] = set()
    for statement in statements(answer):
        if not passages.terms or not _doubt(statement, passages)[1]:
            covered |= statement.terms
        yield
    count = len(covered)
    value = min(math.log1p(count) / math.log1p(_SUBSTANCE_TERMS), 1.0)
    return Score(metric=SUBSTANCE, value=value, rationale=f"{count} distinct terms")


def no_score(metric: str, why: str) -> Score:
    """Of a metric that does not apply."""
    return Score(metric=metric, value=None, rationale=why)
