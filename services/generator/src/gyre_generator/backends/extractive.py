"""Answers with the passages' own sentences; needs no model and makes nothing up."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.text import Kind

from gyre_generator.backends.port import AnswerDraft, Claim, Delta, Piece, WritingTask
from gyre_generator.reading.questions import analyse
from gyre_generator.reading.scoring import CandidateSentence, candidate_sentences
from gyre_generator.reading.selection import ANSWERS_AT, confidence, select
from gyre_generator.tokens import estimated_tokens


class ExtractiveReader:
    """Picks and orders the sentences that answer, and quotes each word for word.

    The only change to a quoted sentence of prose is that a line break becomes a space.
    """

    async def write(self, task: WritingTask) -> AsyncGenerator[Piece, None]:
        """One delta a sentence. Raises nothing of its own."""
        certainty, selected = await asyncio.to_thread(_select_sentences, task)
        verdict = GuardrailResult(
            name="answerable",
            passed=certainty >= ANSWERS_AT,
            detail=f"confidence {certainty:.2f}, answers from {ANSWERS_AT}",
        )
        prompt_tokens = sum(estimated_tokens(p.text) for p in task.passages)
        if not verdict.passed or not selected:
            yield AnswerDraft(
                "", abstained=True, tokens=TokenUsage(prompt=prompt_tokens), guardrails=(verdict,)
            )
            return
        numbers = {p.chunk_id: n for n, p in enumerate(task.passages, start=1)}
        answer, claims = "", []
        for before, candidate in zip([None, *selected], selected, strict=False):
            lead, text = _separator(before, candidate), _quoted_text(candidate)
            start = len(answer) + len(lead)
            answer += lead + text
            sentence = candidate.sentence
            claims.append(
                Claim(
                    start=start,
                    end=len(answer),
                    number=numbers[candidate.passage.chunk_id],
                    quote=(sentence.start, sentence.end),
                )
            )
            yield Delta(lead + text)
        tokens = TokenUsage(prompt=prompt_tokens, completion=estimated_tokens(answer))
        yield AnswerDraft(answer, tuple(claims), tokens=tokens, guardrails=(verdict,))


def _select_sentences(task: WritingTask) -> tuple[float, Sequence[CandidateSentence]]:
    question = analyse(task.query)
    candidates = candidate_sentences(question, task.passages)
    return confidence(question, candidates), select(question, candidates)


def _quoted_text(candidate: CandidateSentence) -> str:
    text = candidate.sentence.text
    if candidate.sentence.kind is Kind.CODE:
        return text
    return text.replace("\r", " ").replace("\n", " ")


def _separator(before: CandidateSentence | None, candidate: CandidateSentence) -> str:
    """What stands between two sentences: a bullet, a blank line, or a space."""
    kind = candidate.sentence.kind
    bullet = "- " if kind is Kind.ITEM and not _continues(before, candidate) else ""
    if before is None:
        return bullet
    if bullet:
        return f"\n{bullet}"
    if before.passage is not candidate.passage or before.sentence.kind is not kind:
        return "\n\n"
    return {Kind.CODE: "\n\n", Kind.TABLE: "\n"}.get(kind, " ")


def _continues(before: CandidateSentence | None, candidate: CandidateSentence) -> bool:
    """Whether both are sentences of one list item: only spaces lie between them."""
    if before is None or before.passage is not candidate.passage:
        return False
    between = candidate.passage.text[before.sentence.end : candidate.sentence.start]
    return not between.strip() and "\n" not in between
