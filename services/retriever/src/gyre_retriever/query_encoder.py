"""The port to the query encoder."""

from collections.abc import Sequence
from typing import Protocol

Vector = Sequence[float]


class QueryEncoder(Protocol):
    """Turns a query into a vector of length 1."""

    async def encode(self, text: str, version: str) -> Vector:
        """Raises:
        FailedPrecondition: the version cannot be served there (yet).
        Unavailable, DeadlineExceeded: the encoder is down or too slow.
        """
