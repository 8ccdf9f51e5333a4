"""Decides whether the passages answer, and picks the few sentences that do."""

import math
from collections.abc import Sequence

from gyre_common.text import Kind

from gyre_generator.reading.questions import AnalysedQuestion, AnswerKind
from gyre_generator.reading.scoring import CandidateSentence

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

_FACTS = frozenset({AnswerKind.PERSON, AnswerKind.TIME, AnswerKind.PLACE, AnswerKind.QUANTITY})


def confidence(question: AnalysedQuestion, candidates: Sequence[CandidateSentence]) -> float:
    """How likely it is that the passages answer (0..1), by the best sentence and its passage.

    A logistic regression on ClapNQ and XQuAD (bench/answers/README.md).
    """
    if not candidates or not question.terms:
        return 0.0
    best = max(candidates, key=lambda c: c.score)
    logit = (
        -3.9
        + 1.3 * best.features["coverage"]
        + 2.3 * _term_coverage(question, best.terms)
        + 3.3 * _term_coverage(question, best.passage_terms)
        + 0.5 * best.features["sign"]
        + 0.45 * best.features["defines"]
    )
    return 1 / (1 + math.exp(-logit))


def select(
    question: AnalysedQuestion, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
    """The sentences that answer, in the order of the passages. A sentence that announces a list or
    code brings it along.
    """
    leads = _pick_leads(question, candidates)
    chosen = {
        _position_of(c) for lead in leads for c in (lead, *_announced_items(lead, candidates))
    }
    return [c for c in candidates if _position_of(c) in chosen]


def _pick_leads(
    question: AnalysedQuestion, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
    most = MAX_FACTS if question.answer_kinds & _FACTS else MAX_SENTENCES
    remaining = sorted(candidates, key=lambda c: -c.score)
    remaining = [c for c in remaining if c.sentence.kind is not Kind.HEADING and c.terms]
    leads: list[CandidateSentence] = []
    while remaining and len(leads) < most:
        best = max(remaining, key=lambda c: c.score - REDUNDANCY * _closest(c, leads))
        value = best.score - REDUNDANCY * _closest(best, leads)
        room = MAX_CHARACTERS - sum(len(c.sentence.text) for c in leads)
        if leads and (value < leads[0].score - MARGIN or len(best.sentence.text) > room):
            break
        leads.append(best)
        remaining = [c for c in remaining if c is not best and _similarity(c, best) < SAME]
    return leads


def _announced_items(
    lead: CandidateSentence, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
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


def _closest(one: CandidateSentence, others: Sequence[CandidateSentence]) -> float:
    return max((_similarity(one, other) for other in others), default=0.0)


def _similarity(one: CandidateSentence, other: CandidateSentence) -> float:
    return len(one.terms & other.terms) / len(one.terms | other.terms)


def _term_coverage(question: AnalysedQuestion, terms: frozenset[str]) -> float:
    return sum(term in terms for term in question.terms) / len(question.terms)


def _position_of(candidate: CandidateSentence) -> tuple[int, int]:
    return candidate.passage.rank, candidate.position
