"""What an encoder is, and which ones this process has: what the releases name, and one more."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from types import MappingProxyType
from typing import Any, NoReturn, Protocol, Self

import numpy as np
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.held import Held, ModelSource
from gyre_common.releases import ReleaseView
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Side(StrEnum):
    """What a text is: queries are short and somebody waits for them, passages come in bulk."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True)
class EncodedText:
    """A text's vector of length 1, how many tokens were read, and whether that was not all."""

    vector: Vector
    tokens: int
    truncated: bool


class Encoder(Protocol):
    """Turns texts into vectors. The same text gives the same vector, whatever stands beside it."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    async def encode(self, texts: Sequence[str], side: Side) -> list[EncodedText]:
        """One result a text, in the order of `texts`. Queries never wait behind passages."""

    def close(self) -> None:
        """Give back its memory: nothing is encoded any more. May block."""


ROLE: Mapping[Side, Roles] = MappingProxyType(
    {Side.QUERY: Roles.QUERY_ENCODER, Side.DOCUMENT: Roles.DOCUMENT_ENCODER}
)

MOST_TEXTS = 256


class Encoders:
    """Holds what the releases name (live, canary, shadow, the version before), and at most one more
    that somebody asked for; how, says `Held`.
    """

    def __init__(
        self,
        source: ModelSource[Encoder],
        releases: ReleaseView,
        *,
        most_bytes: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._releases = releases
        self._held = Held(source, self._check_encoder, most_bytes=most_bytes, clock=clock)

    async def __aenter__(self) -> Self:
        await self._held.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._held.__aexit__(*exc)

    async def follow_releases(self) -> NoReturn:
        """Hold what the releases name, now and after each change."""
        changed = asyncio.Event()
        self._releases.on_change(lambda _: changed.set())
        while True:
            await self.hold()
            await changed.wait()
            changed.clear()

    async def hold(self) -> None:
        """Load what the releases name and is not here yet, and let go of all else."""
        await self._held.hold(list(_released_artifacts(self._releases.states)))

    def use(
        self, side: Side, version: str, *, within: float | None = None
    ) -> AbstractAsyncContextManager[Encoder]:
        """The encoder of a registered version, as `Held.use` gives it.

        Raises FailedPrecondition: the version is not registered here (yet); and as `Held.use` does.
        """
        return self._held.use(self._releases.artifact(ROLE[side], version), within=within)

    async def embed(
        self, texts: Sequence[str], side: Side, version: str
    ) -> tuple[str, list[EncodedText]]:
        """Encode texts; returns the version that did it, too.

        An empty `version` leaves the choice to the request, or else to the releases.

        Raises:
            InvalidInput: no text, or more than `MOST_TEXTS`.
            FailedPrecondition: the version is not registered here (yet) for the caller's tenant or
                for all, cannot be loaded, or takes longer to load than half of the time that the
                caller gave.
        """
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise InvalidInput("texts", f"holds {len(texts)} texts", f"send 1 to {MOST_TEXTS}")
        context, role = request_context(), ROLE[side]
        if named := version or context.versions.get(role):
            version = self._releases.named(context.tenant, role, named).version
        else:
            version = self._releases.live(context.tenant, role).version
        remaining = context.remaining()
        # The other half is for the caller, who may know another version to ask for.
        within = None if remaining is None else remaining / 2
        async with self.use(side, version, within=within) as encoder:
            return version, await encoder.encode(texts, side)

    async def _check_encoder(self, artifact: Artifact, encoder: Encoder) -> None:
        """Vectors must have length 1, and as many numbers as those that they are compared with."""
        if artifact.fits is not None:
            fitted_artifact = self._releases.artifact(Roles.DOCUMENT_ENCODER, artifact.fits)
            document_encoder = self._held.peek(fitted_artifact.digest)
            if document_encoder and document_encoder.dimensions != encoder.dimensions:
                raise FailedPrecondition(
                    f"{artifact.version} makes vectors of {encoder.dimensions} numbers, but the "
                    f"index of {artifact.fits} holds vectors of {document_encoder.dimensions}"
                )
        for side in Side:
            (encoded,) = await encoder.encode(["warm up"], side)
            length = float(np.linalg.norm(encoded.vector))
            if not abs(length - 1) < 1e-3:
                raise FailedPrecondition(f"its vectors have a length of {length}, not 1")


def _released_artifacts(states: Iterable[ReleaseChanged]) -> Iterator[Artifact]:
    """Live ones first, then candidates, then those before: requests that began with one of these
    are still under way.
    """
    own = [state for state in states if state.role in ROLE.values()]
    versions = [(state, state.live) for state in own]
    versions += [(state, state.canary.version) for state in own if state.canary]
    versions += [(state, state.shadow) for state in own if state.shadow]
    versions += [(state, version) for state in own for version in state.history[:1]]
    for state, version in versions:
        if (artifact := state.artifact(version)) is not None:
            yield artifact
