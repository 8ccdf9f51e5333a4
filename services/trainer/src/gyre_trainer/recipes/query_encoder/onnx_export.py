"""Writes the encoder as an ONNX graph and proves that it gives the same vectors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from gyre_common.errors import FailedPrecondition
from torch import Tensor, nn
from torch.export import Dim

from gyre_trainer.recipes.query_encoder.model import QueryEncoder

INPUTS = ("token_ids", "mask")
OUTPUT = "vectors"
MOST_DIFFERENCE = 1e-3


class _Graph(nn.Module):
    def __init__(self, encoder: QueryEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, token_ids: Tensor, mask: Tensor) -> Tensor:
        return self.encoder.encode(token_ids, mask)


def write_onnx(encoder: QueryEncoder, path: Path, samples: Sequence[Sequence[int]]) -> float:
    """Export; returns the greatest difference of any number of any vector from torch's.

    Inputs `token_ids` and `mask`, int64 of shape (texts, tokens), both dimensions free; output
    `vectors`, float32 of shape (texts, d), each row of length 1.

    Raises:
        FailedPrecondition: the difference is above `MOST_DIFFERENCE`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = encoder.cpu()
    ids, mask = encoder.padded([[101, 2003, 102], [101, 102]])
    shapes = {0: Dim("texts", min=1), 1: Dim("tokens", min=1)}
    program = torch.onnx.export(
        _Graph(encoder).eval(),
        (ids, mask),
        input_names=INPUTS,
        output_names=[OUTPUT],
        dynamic_shapes=dict.fromkeys(INPUTS, shapes),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(str(path))
    difference = _difference(encoder, path, samples)
    if difference > MOST_DIFFERENCE:
        raise FailedPrecondition(
            f"the ONNX graph is {difference:.1e} away from torch, "
            f"more than {MOST_DIFFERENCE:.0e}: it would serve something else than was trained"
        )
    return difference


def _difference(encoder: QueryEncoder, path: Path, samples: Sequence[Sequence[int]]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for group in (samples[:1], samples):
        ids, mask = encoder.padded(group)
        with torch.no_grad():
            wanted = encoder.encode(ids, mask).numpy()
        (found,) = session.run(
            [OUTPUT], dict(zip(INPUTS, (ids.numpy(), mask.numpy()), strict=True))
        )
        worst = max(worst, float(np.abs(found - wanted).max()))
    return worst
