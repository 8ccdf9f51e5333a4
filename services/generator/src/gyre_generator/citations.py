"""Turns a draft's claims into citations: a range of the answer on a range of a chunk."""

from collections.abc import Sequence

from gyre_common.events.interactions import Citation, GuardrailResult
from gyre_common.text import content_terms, sentences

from gyre_generator.backends.port import Claim, Draft
from gyre_generator.passages import Passage

CITED_PASSAGES = "cited_passages"


def cite(
    draft: Draft, passages: Sequence[Passage]
) -> tuple[tuple[Citation, ...], tuple[GuardrailResult, ...]]:
    """The draft's citations; a claim on a passage that was never shown is dropped, and recorded."""
    real = [c for c in draft.claims if 1 <= c.number <= len(passages)]
    missing = sorted({c.number for c in draft.claims} - {c.number for c in real})
    verdicts: tuple[GuardrailResult, ...] = ()
    if draft.claims:
        numbers = ", ".join(f"[{n}]" for n in missing[:10])
        detail = f"dropped {numbers}: {len(passages)} passages were shown" if missing else ""
        verdicts = (GuardrailResult(name=CITED_PASSAGES, passed=not missing, detail=detail),)
    return tuple(_citation(c, draft.answer, passages[c.number - 1]) for c in real), verdicts


def _citation(claim: Claim, answer: str, passage: Passage) -> Citation:
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


def _nearest(said: str, passage: Passage) -> tuple[int, int]:
    """The passage's sentence that shares most with what was said; all of it where none does."""
    spoken = frozenset(content_terms(said))
    best, held = (0, len(passage.text)), 0.0
    for sentence in sentences(passage.text):
        terms = frozenset(content_terms(sentence.text))
        shared = len(spoken & terms) / max(len(spoken | terms), 1)
        if shared > held:
            best, held = (sentence.start, sentence.end), shared
    return best
