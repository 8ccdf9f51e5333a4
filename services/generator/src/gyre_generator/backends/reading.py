"""How well the sentences of passages fit a question, and how likely it is that they answer it.

The weights come from bench/answers.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gyre_common.text import Kind, Sentence, content_terms, sentences

from gyre_generator.backends.questions import (
    AnalysedQuestion,
    ExpectedAnswerKind,
    analyse,
    bears_sign,
    defines,
)
from gyre_generator.passages import RetrievedPassage

WEIGHTS: dict[str, float] = {
    "coverage": 6.0,  # share of the question's weight that the sentence holds
    "context": 2.0,  # the same with its heading and the sentence before, beyond the sentence itself
    "pairs": 0.5,  # share of the question's word pairs
    "sign": 0.4,  # bears the sign of what is asked (a date, a name, a number ...)
    "defines": 1.2,  # says what the question's subject is
    "rank": 3.0,  # 1 / rank of the passage
    "lead": 1.0,  # stands early in its passage
    "length": 0.3,  # long enough to say something, at most 40 terms
    "structure": -1.5,  # a heading, table, question, or code not asked for: seldom an answer
}
"""Near the logistic regression on ClapNQ and XQuAD (bench/answers/README.md), rounded. Two differ:
`rank` is lower, because there the one right passage is nearly always the first, and `defines` is
higher, because documentation is asked "what is …" more often than Wikipedia."""


@dataclass(frozen=True, slots=True)
class CandidateSentence:
    """A sentence of a passage, and how well it fits the question.

    `terms` are the sentence's own, `passage_terms` its whole passage's with the headings; each of
    the `features` is about 0..1, `score` is their weighted sum.
    """

    passage: RetrievedPassage
    sentence: Sentence
    position: int
    terms: frozenset[str]
    passage_terms: frozenset[str]
    features: Mapping[str, float]
    score: float


def candidate_sentences(
    question: AnalysedQuestion, passages: Sequence[RetrievedPassage]
) -> list[CandidateSentence]:
    """Every sentence of the passages with its features, in the passages' order."""
    parts_by_passage = [sentences(passage.text) for passage in passages]
    terms_by_passage = [[content_terms(s.text) for s in parts] for parts in parts_by_passage]
    weights = _weights(question, [frozenset(w) for group in terms_by_passage for w in group])

    def share(terms: frozenset[str]) -> float:
        return sum(weight for term, weight in weights.items() if term in terms)

    candidates: list[CandidateSentence] = []
    for passage, parts, part_terms in zip(
        passages, parts_by_passage, terms_by_passage, strict=True
    ):
        heading = frozenset(content_terms(passage.heading))
        whole = heading.union(*part_terms)
        before: frozenset[str] = frozenset()
        sentences_before = 0
        for position, (sentence, sentence_terms) in enumerate(zip(parts, part_terms, strict=True)):
            terms = frozenset(sentence_terms)
            own = share(terms)
            shared_pairs = question.bigrams.intersection(pairwise(sentence_terms))
            features = {
                "coverage": own,
                "context": share(terms | heading | before) - own,
                "pairs": len(shared_pairs) / max(len(question.bigrams), 1),
                "sign": float(bears_sign(question, sentence.text, sentence.kind)),
                "defines": float(defines(question, sentence.text)),
                "rank": 1 / passage.rank,
                "lead": 1 / (1 + sentences_before),
                "length": min(len(terms), 40) / 40,
                "structure": float(_is_structure(question, sentence)),
            }
            score = sum(WEIGHTS[name] * value for name, value in features.items())
            candidates.append(
                CandidateSentence(passage, sentence, position, terms, whole, features, score)
            )
            before = terms
            sentences_before += sentence.kind is not Kind.HEADING
    return candidates


def _weights(question: AnalysedQuestion, pool: Sequence[frozenset[str]]) -> dict[str, float]:
    """Share of each term in the question's weight: inverse document frequency over the sentences at
    hand (Robertson and Zaragoza 2009, eq. 3.1, smoothed to stay positive). A term that no sentence
    holds weighs most: it is what is missing.
    """
    n, counts = len(pool), Counter(term for terms in pool for term in terms)
    weights = {t: math.log(1 + (n - counts[t] + 0.5) / (counts[t] + 0.5)) for t in question.terms}
    return {term: weight / sum(weights.values()) for term, weight in weights.items()}


def _is_structure(question: AnalysedQuestion, sentence: Sentence) -> bool:
    if sentence.kind is Kind.CODE:
        return ExpectedAnswerKind.MANNER not in question.answer_kinds
    return sentence.kind in (Kind.HEADING, Kind.TABLE) or sentence.text.endswith("?")


def confidence(question: AnalysedQuestion, candidates: Sequence[CandidateSentence]) -> float:
    """How likely it is that the passages answer (0..1), by the best sentence and its passage: a
    logistic regression on ClapNQ and XQuAD (bench/answers/README.md).
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


def _term_coverage(question: AnalysedQuestion, terms: frozenset[str]) -> float:
    return sum(term in terms for term in question.terms) / len(question.terms)


def how_answerable(query: str, passages: Sequence[RetrievedPassage]) -> float:
    """The confidence that these passages answer what was searched for."""
    question = analyse(query)
    return confidence(question, candidate_sentences(question, passages))
