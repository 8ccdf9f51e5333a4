"""Turns claims into citations."""

from collections.abc import AsyncGenerator

from gyre_common.events.interactions import Citation
from gyre_common.text import content_terms, sentences

from gyre_generator.progress import AnswerProgress, StepResult


async def cite(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Claims become citations: a range of the answer on a range of a chunk. A claim without a quote
    is given the nearest sentence of its passage, and counts as unsupported.
    """
    answer, claims, citations = progress.draft.answer, progress.draft.claims, []
    for claim in claims:
        passage = progress.packed_passages[claim.number - 1]
        start, end = claim.quote or _nearest(answer[claim.start : claim.end], passage.text)
        citations.append(
            Citation(
                chunk_id=passage.chunk_id,
                document_id=passage.document_id,
                title=passage.title,
                start=claim.start,
                end=claim.end,
                chunk_start=start,
                chunk_end=end,
            )
        )
    unsupported = tuple(number for number, claim in enumerate(claims) if claim.quote is None)
    yield StepResult(citations=tuple(citations), unsupported_citations=unsupported)


def _nearest(claim: str, text: str) -> tuple[int, int]:
    """The text's sentence that shares most with the claim; all of it where none does."""
    claim_terms = frozenset(content_terms(claim))
    best, most = (0, len(text)), 0.0
    for sentence in sentences(text):
        terms = frozenset(content_terms(sentence.text))
        shared = len(claim_terms & terms) / max(len(claim_terms | terms), 1)
        if shared > most:
            best, most = (sentence.start, sentence.end), shared
    return best
