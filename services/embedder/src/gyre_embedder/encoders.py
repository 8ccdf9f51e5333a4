"""The encoders that this process holds, by role and version."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

from gyre_common.errors import FailedPrecondition, GyreError
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.releases import ReleaseView

from gyre_embedder.encoder import Encoder, Side

log = logging.getLogger(__name__)

Load = Callable[[Artifact], Awaitable[Encoder]]

ROLE: Mapping[Side, Roles] = MappingProxyType(
    {Side.QUERY: Roles.QUERY_ENCODER, Side.DOCUMENT: Roles.DOCUMENT_ENCODER}
)


@dataclass(frozen=True)
class _Loaded:
    digest: str
    encoder: Encoder


class Encoders:
    """Serves every version that it has loaded. Versions of one digest share one encoder."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._loaded: dict[tuple[str, str], _Loaded] = {}

    async def keep_up(self, releases: ReleaseView) -> NoReturn:
        """Hold what the releases name, now and after each change."""
        changed = asyncio.Event()
        releases.on_change(lambda _: changed.set())
        while True:
            await self.hold(releases.states)
            await changed.wait()
            changed.clear()

    async def hold(self, states: Iterable[ReleaseChanged]) -> None:
        """Load what these releases name and is not here yet, and let go of all else.

        A version that cannot be loaded is told in the log, and refused when it is asked for.
        """
        wanted = dict(_named(states))
        for (role, version), artifact in wanted.items():
            if (role, version) not in self._loaded:
                await self._hold(role, artifact)
        for gone in self._loaded.keys() - wanted.keys():
            del self._loaded[gone]

    def get(self, side: Side, version: str) -> Encoder:
        """The encoder; raises FailedPrecondition when it is not loaded here."""
        loaded = self._loaded.get((ROLE[side], version))
        if loaded is None:
            raise FailedPrecondition(f"{ROLE[side]} {version} is not loaded here")
        return loaded.encoder

    async def _hold(self, role: str, artifact: Artifact) -> None:
        told = {"role": role, "version": artifact.version}
        same = next(
            (each for each in self._loaded.values() if each.digest == artifact.digest), None
        )
        try:
            encoder = same.encoder if same else await self._load(artifact)
        except GyreError as error:
            log.error("encoder not loaded", extra={**told, "why": str(error)})
            return
        self._loaded[role, artifact.version] = _Loaded(artifact.digest, encoder)
        log.info("encoder loaded", extra=told)


def _named(states: Iterable[ReleaseChanged]) -> Iterator[tuple[tuple[str, str], Artifact]]:
    """Live, candidates, and the version before: requests that began with it are still under way."""
    for state in states:
        if state.role not in ROLE.values():
            continue
        candidates = (state.canary.version if state.canary else None, state.shadow)
        for version in (state.live, *candidates, *state.history[:1]):
            if version is not None and (artifact := state.artifact(version)) is not None:
                yield (state.role, version), artifact
