"""Checks that run on every answer; their results are part of the record."""

from collections.abc import Sequence

from gyre_common.events.interactions import Citation, GuardrailResult
from gyre_common.text import Kind, content_terms, sentences

QUESTION = GuardrailResult(name="question", passed=True)
"""Recorded for every question that was let in; one out of bounds is refused."""

NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)

_SHOWN = 80


def grounding(answer: str, citations: Sequence[Citation]) -> GuardrailResult:
    """Whether every sentence of the answer that says something is cited."""
    said = [s for s in sentences(answer) if s.kind is not Kind.HEADING and content_terms(s.text)]
    bare = [s for s in said if not any(c.start < s.end and s.start < c.end for c in citations)]
    detail = f"{len(said) - len(bare)} of {len(said)} sentences cited"
    if bare:
        detail += f'; not: "{bare[0].text[:_SHOWN]}"'
    return GuardrailResult(name="grounding", passed=not bare, detail=detail)
