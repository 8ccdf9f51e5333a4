"""Chooses what writes an answer: the released generator version decides, or the operator."""

from collections.abc import Mapping
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases import ReleaseView

from gyre_generator.backends import Backend

EXTRACTIVE = "extractive"
OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Route:
    """Who writes, as which version; `note` tells when that is not the released one."""

    backend: Backend
    version: str
    generator: Artifact | None
    prompt: Artifact | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Override:
    """A back end that the operator set for this process, whatever is released."""

    backend: str
    version: str


class Router:
    """Finds the back end of a generator version: `backend` among the artifact's settings."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        releases: ReleaseView,
        override: Override | None = None,
    ) -> None:
        self._backends = backends
        self._releases = releases
        self._override = override

    def route(self, versions: Mapping[str, str]) -> Route:
        """Raises FailedPrecondition when this process does not have that version."""
        prompt = self._artifact(Roles.ANSWER_PROMPT, versions)
        wanted = versions.get(Roles.GENERATOR, "none")
        if (override := self._override) is not None:
            note = f"generator: {override.version} by GYRE_GENERATOR_BACKEND instead of {wanted}"
            return Route(
                backend=self._backends[override.backend],
                version=override.version,
                generator=None,
                prompt=prompt,
                note="" if override.version == wanted else note,
            )
        generator = self._artifact(Roles.GENERATOR, versions)
        if generator is None:
            raise FailedPrecondition("no generator version is live: does `releases` run?")
        return Route(self._backend_of(generator), generator.version, generator, prompt)

    def _backend_of(self, generator: Artifact) -> Backend:
        name = generator.settings.get("backend", "")
        backend = self._backends.get(name)
        if backend is None:
            fix = "set GYRE_LLM_URL and GYRE_LLM_MODEL" if name == OPENAI else "roll it back"
            raise FailedPrecondition(
                f"generator version {generator.version} needs back end {name!r}, which this "
                f"process does not have: {fix}"
            )
        return backend

    def _artifact(self, role: Roles, versions: Mapping[str, str]) -> Artifact | None:
        version = versions.get(role)
        return self._releases.artifact(role, version) if version else None
