"""Resolves the request's versions, and chooses what writes: the released generator version decides,
or the operator.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases import ReleaseView

from gyre_generator.backends import Backend
from gyre_generator.progress import AnswerProgress, Route, StepResult

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
    """Raises FailedPrecondition when this process does not have a version or its back end."""
    resolved = releases.for_request(progress.caller, progress.conversation_id)
    yield StepResult(resolved=resolved)

    def artifact(role: Roles) -> Artifact | None:
        version = resolved.versions.get(role)
        return releases.artifact(role, version) if version else None

    prompt = artifact(Roles.ANSWER_PROMPT)
    if override is None:
        generator = artifact(Roles.GENERATOR)
        if generator is None:
            raise FailedPrecondition("no generator version is live: does `releases` run?")
        yield StepResult(
            route=Route(_backend_of(generator, backends), generator, prompt),
            versions={Roles.GENERATOR: generator.version},
        )
        return
    released = resolved.versions.get(Roles.GENERATOR, "none")
    note = f"generator: {override.version} by GYRE_GENERATOR_BACKEND instead of {released}"
    yield StepResult(
        route=Route(backends[override.backend], None, prompt),
        versions={Roles.GENERATOR: override.version},
        fallbacks=() if override.version == released else (note,),
    )


def _backend_of(generator: Artifact, backends: Mapping[str, Backend]) -> Backend:
    name = generator.settings.get("backend", "")
    if name not in backends:
        fix = "set GYRE_LLM_URL and GYRE_LLM_MODEL" if name == OPENAI else "roll it back"
        raise FailedPrecondition(
            f"generator version {generator.version} needs back end {name!r}, which this process "
            f"does not have: {fix}"
        )
    return backends[name]
