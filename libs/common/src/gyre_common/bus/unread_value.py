"""What stands where a value would be that was not read."""

import hashlib
from typing import Self

from gyre_common.errors import Poison


class UnreadValue(bytes):
    """An empty value, why it is empty, and how to know again what it stands for.

    It stands for all offsets from `first` to that of its record. `digest` and `size` are those of
    the batch as it lies in Kafka. `damaged` says that nothing could be read of it, so that another
    copy of the batch, or a later version of this program, may hold good records.
    """

    reason: str
    first: int
    digest: str
    size: int
    damaged: bool

    def __new__(cls, reason: str, *, first: int, batch: bytes, damaged: bool) -> Self:
        """An empty value for this reason."""
        self = super().__new__(cls)
        self.reason, self.first, self.damaged = reason, first, damaged
        self.digest, self.size = sha256(batch), len(batch)
        return self


class Unreadable(Poison):
    """Kafka holds something that cannot be read; parking it could lose good records."""


def sha256(data: bytes) -> str:
    """The digest of these bytes, as it is written everywhere."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
