"""The port to where encoders come from."""

from collections.abc import Collection
from typing import Protocol

from gyre_common.events.releases import Artifact

from gyre_embedder.encoder import Encoder


class EncoderSource(Protocol):
    """Loads encoders, and keeps their files at hand."""

    async def load(self, artifact: Artifact) -> Encoder:
        """An encoder that has encoded a text on each side, so that no request waits for a first.

        Raises:
            FailedPrecondition: there are no such files, or they are not an encoder's.
            Retryable: they cannot be had now.
        """

    async def keep_only(self, digests: Collection[str]) -> None:
        """Remove what was fetched for other artifacts. Raises Retryable: that failed."""
