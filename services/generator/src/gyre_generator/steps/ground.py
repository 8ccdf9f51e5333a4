"""Checks what a draft rests on: passages that were shown, for every sentence that says something.

What is missing is recorded, and does not stop the answer.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gyre_common.events.interactions import GuardrailResult
from gyre_common.text import Kind, content_terms, sentences

from gyre_generator.backends import Draft
from gyre_generator.progress import Progress, Report

_SHOWN = 80


async def ground(progress: Progress) -> AsyncGenerator[Report, None]:
    """Claims on passages that were never shown are dropped."""
    draft, shown = progress.draft, len(progress.packed)
    claims = tuple(claim for claim in draft.claims if 1 <= claim.number <= shown)
    grounded = replace(draft, claims=claims)
    verdicts = [_shown_passages(draft, grounded, shown)] if draft.claims else []
    verdicts += [] if draft.abstained else [_every_sentence(grounded)]
    yield Report(draft=grounded, guardrails=tuple(verdicts))


def _shown_passages(draft: Draft, grounded: Draft, shown: int) -> GuardrailResult:
    missing = sorted({c.number for c in draft.claims} - {c.number for c in grounded.claims})
    numbers = ", ".join(f"[{n}]" for n in missing[:10])
    detail = f"dropped {numbers}: {shown} passages were shown" if missing else ""
    return GuardrailResult(name="cited_passages", passed=not missing, detail=detail)


def _every_sentence(draft: Draft) -> GuardrailResult:
    parts = sentences(draft.answer)
    parts = [p for p in parts if p.kind is not Kind.HEADING and content_terms(p.text)]
    bare = [p for p in parts if not any(c.start < p.end and p.start < c.end for c in draft.claims)]
    detail = f"{len(parts) - len(bare)} of {len(parts)} sentences cited"
    if bare:
        detail += f'; not: "{bare[0].text[:_SHOWN]}"'
    return GuardrailResult(name="grounding", passed=not bare, detail=detail)
