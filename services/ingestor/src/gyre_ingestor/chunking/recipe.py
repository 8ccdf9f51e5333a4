"""What an ingestion version says about passages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gyre_common.errors import FailedPrecondition

TOKENIZER = "minilm-l6-v2"
"""The one whose files are at hand."""


@dataclass(frozen=True)
class ChunkRecipe:
    """Sizes in tokens of the encoder.

    `max_tokens` is the encoder's whole window: passage, context line and special tokens.
    Passages under `min_tokens` are joined to a neighbour where both fit into one.
    """

    max_tokens: int = 256
    min_tokens: int = 48
    tokenizer: str = TOKENIZER

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> Self:
        """Read an ingestion artifact's settings; what it does not name keeps its default.

        Raises:
            FailedPrecondition: a value cannot work.
        """
        try:
            recipe = cls(
                max_tokens=int(settings.get("max_tokens", cls.max_tokens)),
                min_tokens=int(settings.get("min_tokens", cls.min_tokens)),
                tokenizer=settings.get("tokenizer", cls.tokenizer),
            )
        except ValueError as error:
            raise FailedPrecondition(
                f"ingestion settings must be whole numbers: {error}"
            ) from error
        if (
            not 64 <= recipe.max_tokens <= 8192
            or not 0 <= recipe.min_tokens <= recipe.max_tokens // 2
        ):
            raise FailedPrecondition(
                f"ingestion settings cannot work: max_tokens {recipe.max_tokens} must lie in "
                f"64..8192, min_tokens {recipe.min_tokens} between 0 and half of it"
            )
        if recipe.tokenizer != TOKENIZER:
            raise FailedPrecondition(f"tokenizer {recipe.tokenizer!r} is unknown: use {TOKENIZER}")
        return recipe
