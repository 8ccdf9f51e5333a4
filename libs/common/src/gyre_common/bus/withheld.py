"""What stands where a value would be that is too large to hold."""

import hashlib
from typing import Self


class Withheld(bytes):
    """An empty value, why it is empty, and how to know again what it stands for.

    `digest` and `size` are those of the batch as it lies in Kafka.
    """

    reason: str
    digest: str
    size: int

    def __new__(cls, reason: str, *, digest: str, size: int) -> Self:
        """An empty value for this reason."""
        self = super().__new__(cls)
        self.reason, self.digest, self.size = reason, digest, size
        return self


def sha256(data: bytes) -> str:
    """The digest of these bytes, as it is written everywhere."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
