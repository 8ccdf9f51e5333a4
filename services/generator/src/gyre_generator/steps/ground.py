"""Checks that the answer rests on what was shown."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from gyre_common.events.interactions import GuardrailResult
from gyre_common.text import Kind, content_terms, sentences

from gyre_generator.backends import Claim
from gyre_generator.progress import AnswerProgress, StepResult

_QUOTE_CHARACTERS = 80


async def ground(progress: AnswerProgress) -> AsyncGenerator[StepResult, None]:
    """Drop claims on passages that were never shown, and tell which sentences rest on nothing.

    What is missing is recorded, and does not stop the answer.
    """
    draft, passage_count = progress.draft, len(progress.packed_passages)
    claims = tuple(claim for claim in draft.claims if 1 <= claim.number <= passage_count)
    verdicts = []
    if draft.claims:
        missing = sorted({c.number for c in draft.claims} - {c.number for c in claims})
        numbers = ", ".join(f"[{n}]" for n in missing[:10])
        detail = f"dropped {numbers}: {passage_count} passages were shown" if missing else ""
        verdicts.append(GuardrailResult(name="cited_passages", passed=not missing, detail=detail))
    if not draft.abstained:
        verdicts.append(_check_sentences(draft.answer, claims))
    yield StepResult(draft=replace(draft, claims=claims), guardrails=tuple(verdicts))


def _check_sentences(answer: str, claims: Sequence[Claim]) -> GuardrailResult:
    parts = [p for p in sentences(answer) if p.kind is not Kind.HEADING and content_terms(p.text)]
    uncited = [p for p in parts if not any(c.start < p.end and p.start < c.end for c in claims)]
    detail = f"{len(parts) - len(uncited)} of {len(parts)} sentences cited"
    if uncited:
        detail += f'; not: "{uncited[0].text[:_QUOTE_CHARACTERS]}"'
    return GuardrailResult(name="grounding", passed=not uncited, detail=detail)
