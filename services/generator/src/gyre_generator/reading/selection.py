"""Decides whether the passages answer, and picks the few sentences that do."""

import math
from collections.abc import Sequence

from gyre_common.text import Kind

from gyre_generator.reading.questions import Asks, Question
from gyre_generator.reading.scoring import Candidate

ANSWERS_AT = 0.4
"""Confidence from which the reader answers, chosen on the tuning half of bench/answers."""

MARGIN = 2.5
"""A further sentence must come within this of the best one's score."""

REDUNDANCY = 1.0
"""What a sentence loses for a Jaccard similarity of 1 to one picked before (maximal marginal
relevance, Carbonell and Goldstein 1998)."""

SAME = 0.9
"""From this similarity on, a sentence says nothing that was not said."""

MAX_SENTENCES = 4
MAX_FACTS = 3
MAX_CHARACTERS = 1_200
MAX_LIST = 8

_FACTS = frozenset({Asks.PERSON, Asks.TIME, Asks.PLACE, Asks.QUANTITY})


def confidence(question: Question, candidates: Sequence[Candidate]) -> float:
    """How likely it is that the passages answer (0..1), by the best sentence and its passage.

    A logistic regression on ClapNQ and XQuAD (bench/answers/README.md).
    """
    if not candidates or not question.terms:
        return 0.0
    best = max(candidates, key=lambda c: c.score)
    logit = (
        -3.9
        + 1.3 * best.features["coverage"]
        + 2.3 * _held(question, best.terms)
        + 3.3 * _held(question, best.passage_terms)
        + 0.5 * best.features["sign"]
        + 0.45 * best.features["defines"]
    )
    return 1 / (1 + math.exp(-logit))


def select(question: Question, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The sentences that answer, in the order of the passages. A sentence that announces a list or
    code brings it along.
    """
    picked = _pick(question, candidates)
    chosen = {_place(c) for lead in picked for c in (lead, *_announced(lead, candidates))}
    return [c for c in candidates if _place(c) in chosen]


def _pick(question: Question, candidates: Sequence[Candidate]) -> list[Candidate]:
    most = MAX_FACTS if question.asks & _FACTS else MAX_SENTENCES
    left = sorted(candidates, key=lambda c: -c.score)
    left = [c for c in left if c.sentence.kind is not Kind.HEADING and c.terms]
    picked: list[Candidate] = []
    while left and len(picked) < most:
        best = max(left, key=lambda c: c.score - REDUNDANCY * _closest(c, picked))
        value = best.score - REDUNDANCY * _closest(best, picked)
        room = MAX_CHARACTERS - sum(len(c.sentence.text) for c in picked)
        if picked and (value < picked[0].score - MARGIN or len(best.sentence.text) > room):
            break
        picked.append(best)
        left = [c for c in left if c is not best and _likeness(c, best) < SAME]
    return picked


def _announced(lead: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    if not lead.sentence.text.endswith(":"):
        return []
    following = [c for c in candidates if c.passage is lead.passage and c.position > lead.position][
        :MAX_LIST
    ]
    end = next(
        (i for i, c in enumerate(following) if c.sentence.kind not in (Kind.ITEM, Kind.CODE)),
        len(following),
    )
    return following[:end]


def _closest(one: Candidate, others: Sequence[Candidate]) -> float:
    return max((_likeness(one, other) for other in others), default=0.0)


def _likeness(one: Candidate, other: Candidate) -> float:
    return len(one.terms & other.terms) / len(one.terms | other.terms)


def _held(question: Question, terms: frozenset[str]) -> float:
    return sum(term in terms for term in question.terms) / len(question.terms)


def _place(candidate: Candidate) -> tuple[int, int]:
    return candidate.passage.rank, candidate.position
