"""Answers who asks for vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

from gyre_common.context import request_context
from gyre_common.errors import InvalidInput
from gyre_common.releases import ReleaseView

from gyre_embedder.encoder import EncodedText, Side
from gyre_embedder.encoders import ROLE, Encoders

MOST_TEXTS = 256


@dataclass(frozen=True)
class Embeddings:
    """One result a text, and the version that made them."""

    results: Sequence[EncodedText]
    version: str
    dimensions: int


class TextEmbedder:
    """Encodes texts with the version that is asked for, that the request was given, or is live."""

    def __init__(self, encoders: Encoders, releases: ReleaseView) -> None:
        self._encoders = encoders
        self._releases = releases

    async def embed(self, texts: Sequence[str], side: Side, version: str) -> Embeddings:
        """Encode texts; an empty `version` leaves the choice to the request and the releases.

        Raises:
            InvalidInput: no text, or more than `MOST_TEXTS`.
            FailedPrecondition: the version is not registered here (yet), cannot be loaded, or takes
                longer to load than half of the time that the caller gave.
        """
        if not 1 <= len(texts) <= MOST_TEXTS:
            raise InvalidInput("texts", f"holds {len(texts)} texts", f"send 1 to {MOST_TEXTS}")
        chosen = version or self._version(side)
        remaining = request_context().remaining()
        # The other half is for the caller, who may know another version to ask for.
        within = None if remaining is None else remaining / 2
        async with self._encoders.use(side, chosen, within=within) as encoder:
            return Embeddings(await encoder.encode(texts, side), chosen, encoder.dimensions)

    def _version(self, side: Side) -> str:
        context = request_context()
        requested = context.versions.get(ROLE[side])
        return requested or self._releases.live(context.tenant, ROLE[side]).version
