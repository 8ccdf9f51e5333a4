"""Answers with the passages' own sentences; needs no model and makes nothing up.

The weights and thresholds come from bench/answers.
"""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.text import Kind, Sentence, content_terms, sentences

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Claim, Piece
from gyre_generator.backends.questions import (
    AnalysedQuestion,
    AnswerKind,
    analyse,
    bears_sign,
    defines,
)
from gyre_generator.passages import RetrievedPassage, estimated_tokens

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

ANSWERS_AT = 0.4
"""Confidence from which the reader answers, chosen on the tuning half of bench/answers."""

MARGIN = 2.5
"""A further sentence must come within this of the best one's score."""

REDUNDANCY = 1.0
"""What a sentence loses for a Jaccard similarity of 1 to one picked before (maximal marginal
relevance, Carbonell and Goldstein 1998)."""

SAME = 0.9
"""From this similarity on, a sentence says nothing new."""

MAX_SENTENCES = 4
MAX_FACTS = 3
MAX_CHARACTERS = 1_200
MAX_LIST = 8

_FACTS = frozenset({AnswerKind.PERSON, AnswerKind.TIME, AnswerKind.PLACE, AnswerKind.QUANTITY})
_LINE_ENDS = str.maketrans("\r\n", "  ")


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


class ExtractiveReader:
    """Picks and orders the sentences that answer, and quotes each word for word.

    The only change to a quoted sentence of prose is that a line break becomes a space.
    """

    ignores = ("instructions", "max_tokens", "temperature")

    async def write(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], artifacts: Artifacts
    ) -> AsyncGenerator[Piece, None]:
        """One delta a sentence. Raises nothing of its own."""
        certainty, selected = await asyncio.to_thread(_select_sentences, ask.query(), passages)
        verdict = GuardrailResult(
            name="answerable",
            passed=certainty >= ANSWERS_AT,
            detail=f"confidence {certainty:.2f}, answers from {ANSWERS_AT}",
        )
        tokens = TokenUsage(prompt=sum(estimated_tokens(p.text) for p in passages))
        if not verdict.passed or not selected:
            yield AnswerDraft("", abstained=True, tokens=tokens, guardrails=(verdict,))
            return
        numbers = {p.chunk_id: n for n, p in enumerate(passages, start=1)}
        answer, claims = "", []
        for before, candidate in zip([None, *selected], selected, strict=False):
            separator, sentence = _separator(before, candidate), candidate.sentence
            is_code = sentence.kind is Kind.CODE
            quoted = sentence.text if is_code else sentence.text.translate(_LINE_ENDS)
            start = len(answer) + len(separator)
            answer += separator + quoted
            number, quote = numbers[candidate.passage.chunk_id], (sentence.start, sentence.end)
            claims.append(Claim(start, len(answer), number, quote))
            yield separator + quoted
        tokens = tokens.model_copy(update={"completion": estimated_tokens(answer)})
        yield AnswerDraft(answer, tuple(claims), tokens=tokens, guardrails=(verdict,))


def _select_sentences(
    query: str, passages: Sequence[RetrievedPassage]
) -> tuple[float, Sequence[CandidateSentence]]:
    question = analyse(query)
    candidates = candidate_sentences(question, passages)
    return confidence(question, candidates), select(question, candidates)


def _separator(before: CandidateSentence | None, candidate: CandidateSentence) -> str:
    """What stands between two sentences: a bullet, a blank line, or a space."""
    kind, passage = candidate.sentence.kind, candidate.passage
    if before is None:
        return "- " if kind is Kind.ITEM else ""
    if before.passage is not passage:
        return "\n- " if kind is Kind.ITEM else "\n\n"
    between = passage.text[before.sentence.end : candidate.sentence.start]
    if kind is Kind.ITEM and (between.strip() or "\n" in between):  # not of the same list item
        return "\n- "
    if before.sentence.kind is not kind:
        return "\n\n"
    return {Kind.CODE: "\n\n", Kind.TABLE: "\n"}.get(kind, " ")


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
        return AnswerKind.MANNER not in question.answer_kinds
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


def select(
    question: AnalysedQuestion, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
    """The sentences that answer, in the order of the passages. A sentence that announces a list or
    code brings it along.
    """
    leads = _pick_leads(question, candidates)
    chosen = {
        id(candidate) for lead in leads for candidate in (lead, *_announced(lead, candidates))
    }
    return [candidate for candidate in candidates if id(candidate) in chosen]


def _pick_leads(
    question: AnalysedQuestion, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
    most = MAX_FACTS if question.answer_kinds & _FACTS else MAX_SENTENCES
    remaining = sorted(candidates, key=lambda c: -c.score)
    remaining = [c for c in remaining if c.sentence.kind is not Kind.HEADING and c.terms]
    leads: list[CandidateSentence] = []

    def value(candidate: CandidateSentence) -> float:
        closest = max((_similarity(candidate, lead) for lead in leads), default=0.0)
        return candidate.score - REDUNDANCY * closest

    while remaining and len(leads) < most:
        best = max(remaining, key=value)
        room = MAX_CHARACTERS - sum(len(c.sentence.text) for c in leads)
        if leads and (value(best) < leads[0].score - MARGIN or len(best.sentence.text) > room):
            break
        leads.append(best)
        remaining = [c for c in remaining if c is not best and _similarity(c, best) < SAME]
    return leads


def _announced(
    lead: CandidateSentence, candidates: Sequence[CandidateSentence]
) -> list[CandidateSentence]:
    if not lead.sentence.text.endswith(":"):
        return []
    following = [c for c in candidates if c.passage is lead.passage and c.position > lead.position]
    items = takewhile(lambda c: c.sentence.kind in (Kind.ITEM, Kind.CODE), following)
    return list(items)[:MAX_LIST]


def _similarity(one: CandidateSentence, other: CandidateSentence) -> float:
    return len(one.terms & other.terms) / len(one.terms | other.terms)
