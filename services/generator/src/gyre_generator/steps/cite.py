"""Turns claims into citations: a range of the answer on a range of a chunk."""

from collections.abc import AsyncGenerator

from gyre_common.events.interactions import Citation
from gyre_common.text import content_terms, sentences

from gyre_generator.backends import Claim
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import AnswerProgress, StepResult


async def cite(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """A claim without a quote is given the nearest sentence of its passage."""
    draft, passages = progress.draft, progress.packed_passages
    yield StepResult(
        citations=tuple(
            _citation(claim, draft.answer, passages[claim.number - 1]) for claim in draft.claims
        )
    )


def _citation(claim: Claim, answer: str, passage: RetrievedPassage) -> Citation:
    start, end = claim.quote or _nearest(answer[claim.start : claim.end], passage)
    return Citation(
        chunk_id=passage.chunk_id,
        document_id=passage.document_id,
        title=passage.title,
        start=claim.start,
        end=claim.end,
        chunk_start=start,
        chunk_end=end,
    )


def _nearest(claim_text: str, passage: RetrievedPassage) -> tuple[int, int]:
    """The passage's sentence that shares most with the claim; all of it where none does."""
    claim_terms = frozenset(content_terms(claim_text))
    best, most = (0, len(passage.text)), 0.0
    for sentence in sentences(passage.text):
        terms = frozenset(content_terms(sentence.text))
        shared = len(claim_terms & terms) / max(len(claim_terms | terms), 1)
        if shared > most:
            best, most = (sentence.start, sentence.end), shared
    return best
