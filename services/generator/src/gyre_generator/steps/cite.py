"""What an answer rests on: passages that were shown, for every sentence that says something.

What is missing is recorded, and does not stop the answer.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gyre_common.events.interactions import Citation, GuardrailResult
from gyre_common.text import Kind, content_terms, sentences

from gyre_generator.backends import AnswerDraft, Claim
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import AnswerProgress, StepResult

_QUOTE_CHARACTERS = 80


async def ground(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Claims on passages that were never shown are dropped."""
    draft, passage_count = progress.draft, len(progress.packed_passages)
    claims = tuple(claim for claim in draft.claims if 1 <= claim.number <= passage_count)
    grounded = replace(draft, claims=claims)
    verdicts = [_check_citations(draft, grounded, passage_count)] if draft.claims else []
    verdicts += [] if draft.abstained else [_check_sentences(grounded)]
    yield StepResult(draft=grounded, guardrails=tuple(verdicts))


def _check_citations(
    draft: AnswerDraft, grounded: AnswerDraft, passage_count: int
) -> GuardrailResult:
    missing = sorted({c.number for c in draft.claims} - {c.number for c in grounded.claims})
    numbers = ", ".join(f"[{n}]" for n in missing[:10])
    detail = f"dropped {numbers}: {passage_count} passages were shown" if missing else ""
    return GuardrailResult(name="cited_passages", passed=not missing, detail=detail)


def _check_sentences(draft: AnswerDraft) -> GuardrailResult:
    parts = sentences(draft.answer)
    parts = [p for p in parts if p.kind is not Kind.HEADING and content_terms(p.text)]
    uncited = [
        p for p in parts if not any(c.start < p.end and p.start < c.end for c in draft.claims)
    ]
    detail = f"{len(parts) - len(uncited)} of {len(parts)} sentences cited"
    if uncited:
        detail += f'; not: "{uncited[0].text[:_QUOTE_CHARACTERS]}"'
    return GuardrailResult(name="grounding", passed=not uncited, detail=detail)


async def cite(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Claims become citations: a range of the answer on a range of a chunk. A claim without a quote
    is given the nearest sentence of its passage.
    """
    answer, passages = progress.draft.answer, progress.packed_passages
    yield StepResult(
        citations=tuple(
            _citation(claim, answer, passages[claim.number - 1]) for claim in progress.draft.claims
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
