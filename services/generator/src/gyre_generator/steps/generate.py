"""Chooses what writes, and lets it: the released generator version decides, or the operator."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import GuardrailResult, Outcome
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases import ReleaseView

from gyre_generator.backends import AnswerDraft, Backend
from gyre_generator.progress import AnswerProgress, StepResult
from gyre_generator.prompts import Prompt

EXTRACTIVE = "extractive"
OPENAI = "openai"

NO_ANSWER = "The indexed documents do not seem to answer this."
_NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)


@dataclass(frozen=True, slots=True)
class Override:
    """A back end that the operator set for this process, whatever is released."""

    backend: str
    version: str


async def route(
    progress: AnswerProgress,
    *,
    backends: Mapping[str, Backend],
    releases: ReleaseView,
    override: Override | None = None,
) -> AsyncGenerator[StepResult, None]:
    """Resolve the request's versions, and say who writes.

    Raises FailedPrecondition when this process does not have a version or its back end.
    """
    resolved = releases.for_request(progress.caller, progress.conversation_id)
    yield StepResult(resolved=resolved)
    roles = (Roles.ANSWER_PROMPT,) if override else (Roles.ANSWER_PROMPT, Roles.GENERATOR)
    artifacts: dict[str, Artifact] = {
        role: releases.artifact(role, resolved.versions[role])
        for role in roles
        if role in resolved.versions
    }
    live, generator = resolved.versions.get(Roles.GENERATOR, "none"), artifacts.get(Roles.GENERATOR)
    if override:
        name, version = override.backend, override.version
    elif generator:
        name, version = generator.settings.get("backend", ""), generator.version
    else:
        raise FailedPrecondition("no generator version is live: does `releases` run?")
    if name not in backends:
        fix = "set GYRE_LLM_URL and GYRE_LLM_MODEL" if name == OPENAI else "roll it back"
        raise FailedPrecondition(
            f"generator version {version} needs back end {name!r}, which this process does not "
            f"have: {fix}"
        )
    note = f"generator: {version} by GYRE_GENERATOR_BACKEND instead of {live}"
    yield StepResult(
        backend=backends[name],
        artifacts=artifacts,
        versions={Roles.GENERATOR: version},
        fallbacks=() if version == live else (note,),
    )


async def generate(progress: AnswerProgress) -> AsyncGenerator[str | StepResult, None]:
    """What the back end writes, or that the passages hold no answer. Raises what it raises."""
    backend, passages = progress.latest(lambda report: report.backend), progress.packed_passages
    artifacts = progress.latest(lambda report: report.artifacts) or {}
    assert backend is not None, "no step before this one chose who writes"
    draft = AnswerDraft("", abstained=True, guardrails=(_NO_PASSAGES,))
    if passages:
        async with aclosing(backend.write(progress.ask, passages, artifacts)) as pieces:
            async for piece in pieces:
                match piece:
                    case str():
                        yield piece
                    case AnswerDraft():
                        draft = piece
                    case Prompt(version=version, fallback=fallback):
                        yield StepResult(
                            prompt=piece,
                            versions={Roles.ANSWER_PROMPT: version},
                            fallbacks=(fallback,) if fallback else (),
                        )
    if draft.abstained:
        yield NO_ANSWER
    outcome = Outcome.ABSTAINED if draft.abstained else Outcome.ANSWERED
    yield StepResult(draft=draft, guardrails=draft.guardrails, outcome=outcome)
