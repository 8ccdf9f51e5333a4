"""The encoders that this process holds, and how one comes and goes beside the others."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self

from gyre_common.errors import LOADING, FailedPrecondition, GyreError, Retryable
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_embedder.encoder import Encoder, Side
from gyre_embedder.encoder_source import EncoderSource

log = logging.getLogger(__name__)

ROLE: Mapping[Side, Roles] = MappingProxyType(
    {Side.QUERY: Roles.QUERY_ENCODER, Side.DOCUMENT: Roles.DOCUMENT_ENCODER}
)
_LONGEST_LOAD = 120.0
_AGAIN_SOON, _AGAIN_LATER = 1.0, 30.0
"""Seconds until a load that failed is tried again: what may pass by itself, and what needs help."""


@dataclass(frozen=True)
class _Refusal:
    reason: str
    until: float


class Encoders:
    """Holds what the releases name (live, canary, shadow, the version before), and at most one more
    that somebody asked for. Versions of one digest share one encoder.

    An encoder serves once it is loaded and warm; one that goes is let go of between two requests,
    and ends with the last one that has it. What cannot be loaded changes nothing.
    """

    def __init__(
        self, source: EncoderSource, releases: ReleaseView, clock: Callable[[], float] = monotonic
    ) -> None:
        self._source = source
        self._releases = releases
        self._clock = clock
        self._held: dict[str, Encoder] = {}
        self._named: frozenset[str] = frozenset()
        self._spare: str | None = None
        self._loading: dict[str, asyncio.Task[Encoder | None]] = {}
        self._refused: dict[str, _Refusal] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._loading.values():
            task.cancel()
        await self._tasks.__aexit__(kind, error, trace)

    async def keep_up(self) -> NoReturn:
        """Hold what the releases name, now and after each change."""
        changed = asyncio.Event()
        self._releases.on_change(lambda _: changed.set())
        while True:
            await self.hold()
            await changed.wait()
            changed.clear()

    async def hold(self) -> None:
        """Load what the releases name and is not here yet, and let go of all else.

        A version that cannot be loaded is told in the log, and refused when it is asked for.
        """
        named = [*_named(self._releases.states)]
        self._named = frozenset(artifact.digest for _, artifact in named)
        if self._spare in self._named:
            self._spare = None
        for role, artifact in named:
            if artifact.digest not in self._held:
                await self._bring(role, artifact)
        await self._tidy()

    async def get(self, side: Side, version: str, *, within: float | None = None) -> Encoder:
        """The encoder of a registered version; loaded first, if it is not here.

        Waits at most `within` seconds for that; the load goes on for who asks next.

        Raises:
            FailedPrecondition: the version is not registered here (yet), cannot be loaded, or is
                still being loaded.
        """
        role = ROLE[side]
        artifact = self._releases.artifact(role, version)
        held = self._held.get(artifact.digest)
        if held is not None:
            return held
        refused = self._refused.get(artifact.digest)
        if refused is None or refused.until <= self._clock():
            try:
                async with asyncio.timeout(within):
                    loaded = await self._bring(role, artifact)
            except TimeoutError as error:
                raise FailedPrecondition(
                    f"{role} {version} is being loaded here: ask again in a moment", code=LOADING
                ) from error
            if loaded is not None:
                return loaded
        raise FailedPrecondition(
            f"{role} {version} cannot be served here: {self._refused[artifact.digest].reason}"
        )

    async def _bring(self, role: Roles, artifact: Artifact) -> Encoder | None:
        """Load once, however many ask; None when it was refused."""
        task = self._loading.get(artifact.digest)
        if task is None:
            task = self._tasks.create_task(self._load(role, artifact))
            self._loading[artifact.digest] = task
            task.add_done_callback(lambda _: self._loading.pop(artifact.digest))
        return await asyncio.shield(task)

    async def _load(self, role: Roles, artifact: Artifact) -> Encoder | None:
        told = {"role": role, "version": artifact.version}
        async with self._one_at_a_time:
            try:
                encoder = await self._from_source(artifact)
                self._check_fit(role, artifact, encoder)
            except GyreError as error:
                self._refuse(artifact, error, told)
                return None
            self._refused.pop(artifact.digest, None)
            self._held[artifact.digest] = encoder
            if artifact.digest not in self._named:
                self._spare = artifact.digest
        METRICS.encoder_loads.labels("loaded").inc()
        log.info("encoder loaded", extra=told)
        if artifact.digest == self._spare:
            await self._tidy()
        return encoder

    async def _from_source(self, artifact: Artifact) -> Encoder:
        try:
            async with asyncio.timeout(_LONGEST_LOAD):
                return await self._source.load(artifact)
        except TimeoutError as error:
            raise Retryable(f"not loaded within {_LONGEST_LOAD:.0f} s") from error

    def _refuse(self, artifact: Artifact, error: GyreError, told: Mapping[str, str]) -> None:
        METRICS.encoder_loads.labels("refused").inc()
        before, reason = self._refused.get(artifact.digest), str(error)
        pause = _AGAIN_SOON if isinstance(error, Retryable) else _AGAIN_LATER
        self._refused[artifact.digest] = _Refusal(reason, self._clock() + pause)
        if before is None or before.reason != reason:
            log.error("encoder not loaded", extra={**told, "why": reason})

    def _check_fit(self, role: Roles, artifact: Artifact, encoder: Encoder) -> None:
        """A query's vector must have as many numbers as those that it is compared with."""
        if role is not Roles.QUERY_ENCODER or artifact.fits is None:
            return
        fitted = self._releases.artifact(Roles.DOCUMENT_ENCODER, artifact.fits)
        document_encoder = self._held.get(fitted.digest)
        if document_encoder and document_encoder.dimensions != encoder.dimensions:
            raise FailedPrecondition(
                f"{artifact.version} makes vectors of {encoder.dimensions} numbers, but the index "
                f"of {artifact.fits} holds vectors of {document_encoder.dimensions}"
            )

    async def _tidy(self) -> None:
        """Let go of what the releases do not name, but for the spare one."""
        async with self._one_at_a_time:
            kept = self._named | ({self._spare} if self._spare else set())
            for digest in self._held.keys() - kept:
                del self._held[digest]
                log.info("encoder let go", extra={"digest": digest})
            METRICS.encoders_held.set(len(self._held))
            try:
                await self._source.keep_only(kept)
            except Retryable as error:
                log.warning("old models not removed", extra={"why": str(error)})


def _named(states: Iterable[ReleaseChanged]) -> Iterator[tuple[Roles, Artifact]]:
    """Live, candidates, and the version before: requests that began with it are still under way."""
    for state in states:
        if state.role not in ROLE.values():
            continue
        candidates = (state.canary.version if state.canary else None, state.shadow)
        for version in (state.live, *candidates, *state.history[:1]):
            if version is not None and (artifact := state.artifact(version)) is not None:
                yield Roles(state.role), artifact
