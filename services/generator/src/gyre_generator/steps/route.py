"""Resolves the request's versions, and chooses the back end that writes."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_generator.ask import Ask
from gyre_generator.backends import Backend
from gyre_generator.progress import AnswerProgress, StepResult

EXTRACTIVE = "extractive"
OPENAI = "openai"


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
    """Resolve the request's versions, and say who writes. Raises FailedPrecondition when this
    process does not have a version or its back end.
    """
    resolved = releases.for_request(progress.caller, progress.conversation_id)
    yield StepResult(resolved=resolved)
    roles = {Roles.ANSWER_PROMPT} if override else {Roles.ANSWER_PROMPT, Roles.GENERATOR}
    versions = {role: v for role, v in resolved.versions.items() if role in roles}
    artifacts = {role: releases.artifact(role, v) for role, v in versions.items()}
    live, generator = resolved.versions.get(Roles.GENERATOR, "none"), artifacts.get(Roles.GENERATOR)
    if override:
        name, version = override.backend, override.version
    elif generator:
        name, version = generator.settings.get("backend", ""), generator.version
    else:
        raise FailedPrecondition("no generator version is live: does `releases` run?")
    if name not in backends:
        raise missing_backend(name, version)
    yield StepResult(
        backend=backends[name], artifacts=artifacts, versions={Roles.GENERATOR: version}
    )
    yield _departures(progress.ask, backends[name], version=version, resolved=live)


def missing_backend(name: str, version: str) -> FailedPrecondition:
    """This process cannot answer with that version."""
    fix = "set GYRE_LLM_URL" if name == OPENAI else "roll it back"
    return FailedPrecondition(
        f"generator version {version} needs back end {name!r}, which this process does not "
        f"have: {fix}"
    )


def _departures(ask: Ask, backend: Backend, *, version: str, resolved: str) -> StepResult:
    """Where what writes is not what was resolved, or does not honour what was asked for."""
    notes, ignored = [], [wish for wish in ask.wishes() if wish in backend.ignores]
    if version != resolved:
        notes.append(f"generator: {version} by GYRE_GENERATOR_BACKEND instead of {resolved}")
        ignored += ["version"] if ask.names_version else []
    if ignored:
        notes.append(f"generator: {version} ignores {', '.join(ignored)}")
    return StepResult(fallbacks=tuple(notes), ignored=tuple(ignored))
