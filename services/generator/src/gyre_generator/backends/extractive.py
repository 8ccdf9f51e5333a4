"""Answers with the passages' own sentences; needs no model and makes nothing up.

The thresholds come from bench/answers.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import takewhile

from gyre_common.events.interactions import TokenUsage
from gyre_common.events.releases import Roles
from gyre_common.text import Kind, content_terms

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Claim, Examples, Piece
from gyre_generator.backends.answerable import ANSWERS_AT, answerable, answers_at
from gyre_generator.backends.questions import AnalysedQuestion, ExpectedAnswerKind, analyse
from gyre_generator.backends.reading import CandidateSentence, candidate_sentences, confidence
from gyre_generator.passages import RetrievedPassage, estimated_tokens

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

_FEWEST_COLUMNS = 2

_FACTS = frozenset(
    {
        ExpectedAnswerKind.PERSON,
        ExpectedAnswerKind.TIME,
        ExpectedAnswerKind.PLACE,
        ExpectedAnswerKind.QUANTITY,
    }
)
_LINE_ENDS = str.maketrans("\r\n", "  ")


class ExtractiveReader:
    """Picks and orders the sentences that answer, and quotes each word for word.

    The only change to a quoted sentence of prose is that a line break becomes a space.
    """

    ignores = ("instructions", "max_tokens", "temperature")

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        """One delta a sentence. Raises nothing of its own."""
        certainty, selected = await asyncio.to_thread(_select_sentences, ask.query(), passages)
        verdict = answerable(certainty, _threshold(artifacts))
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


def _threshold(artifacts: Artifacts) -> float:
    generator = artifacts.get(Roles.GENERATOR)
    threshold = answers_at(generator.settings) if generator else None
    return ANSWERS_AT if threshold is None else threshold


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
        remaining = [
            c
            for c in remaining
            if c is not best and _similarity(c, best) < SAME and not _fits_less(question, c, best)
        ]
    return leads


def _fits_less(question: AnalysedQuestion, row: CandidateSentence, best: CandidateSentence) -> bool:
    """Whether both are rows of one table and what was asked for stands in the other: their columns'
    names, which every row repeats, make all of them look like answers.
    """
    names = _column_names(best)
    shared = set(names) & set(_column_names(row))
    if len(shared) < min(_FEWEST_COLUMNS, len(names)) or not shared:
        return False
    wanted = frozenset(question.terms).difference(*map(content_terms, names))
    return row.passage is best.passage and row.terms & wanted < best.terms & wanted


def _column_names(row: CandidateSentence) -> list[str]:
    """Of a row as documents are written, `Plan: Pro; Price: 12`."""
    if row.sentence.kind is not Kind.ITEM:
        return []
    return [
        name
        for name, sign, _ in (cell.partition(": ") for cell in row.sentence.text.split("; "))
        if sign
    ]


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
