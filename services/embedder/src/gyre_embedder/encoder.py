"""The port to a text encoder, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
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
