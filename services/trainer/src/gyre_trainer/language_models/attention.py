"""Attention within a pack: a completion sees itself and its prompt; nothing else is computed.

A mask over the whole row would cost the row's length squared, of which nearly all is thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

PACKED_ATTENTION = "gyre_packed"
"""Its name in transformers' table of implementations."""


@dataclass(frozen=True)
class AttentionSpan:
    """Where a sample lies in a row: its prompt from `start` to `answers`, its first completion from
    there to the first of `ends`, each further one from one of `ends` to the next.
    """

    start: int
    answers: int
    ends: tuple[int, ...]


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    spans: Sequence[AttentionSpan] | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """In the shapes of `AttentionInterface`: `query` (1, heads, tokens, size), `key` and `value`
    (1, groups, tokens, size), returns (1, tokens, heads, size). Without `spans` the row is one
    text, and a mask is taken as it is.
    """

    def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=dropout,
            # One token sees all before it; torch would let it see the first alone.
            is_causal=mask is None and query.shape[2] > 1,
            scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )

    if spans is None:
        return attend(query, key, value, attention_mask).transpose(1, 2), None
    rows = []
    for span in spans:
        first = slice(span.start, span.ends[0])
        rows.append(attend(query[:, :, first], key[:, :, first], value[:, :, first], None))
        prompt = slice(span.start, span.answers)
        for start, end in zip(span.ends, span.ends[1:], strict=False):
            keys, values = (
                torch.cat((part[:, :, prompt], part[:, :, start:end]), dim=2)
                for part in (key, value)
            )
            mask = _seen(end - start, keys.shape[2], query.device)
            rows.append(attend(query[:, :, start:end], keys, values, mask))
    return torch.cat(rows, dim=2).transpose(1, 2), None


def _seen(tokens: int, keys: int, device: torch.device) -> Tensor:
    """True where a token may look, of the last `tokens` of `keys`: at itself and before."""
    places = torch.arange(keys, device=device)
    return places[None] <= places[keys - tokens :, None]


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
