"""Writes the encoder as an ONNX graph and proves that it gives the same vectors."""

from collections.abc import Sequence
from pathlib import Path

import onnxruntime
import torch
from gyre_common.errors import FailedPrecondition
from torch import Tensor, nn
from torch.export import Dim

from gyre_trainer.recipes.query_encoder.model import TrainableQueryEncoder, pooled

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
MOST_DIFFERENCE = 1e-3


class _Graph(nn.Module):
    def __init__(self, encoder: TrainableQueryEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        output = self.encoder.bert(input_ids, attention_mask, token_type_ids)
        hidden: Tensor = output.last_hidden_state
        return hidden


def write_onnx(
    encoder: TrainableQueryEncoder, path: Path, samples: Sequence[Sequence[int]]
) -> float:
    """Export; returns the greatest difference of any number of any vector from torch's.

    Inputs and output have the names that exported BERT encoders have everywhere: int64 of shape
    (texts, tokens), both dimensions free, to float32 of shape (texts, tokens, d), not yet pooled.

    Raises:
        FailedPrecondition: the difference is above `MOST_DIFFERENCE`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    encoder = encoder.cpu()
    ids, mask = encoder.padded([[101, 2003, 102], [101, 102]])
    shapes = {0: Dim("texts", min=1), 1: Dim("tokens", min=1)}
    program = torch.onnx.export(
        _Graph(encoder).eval(),
        (ids, mask, torch.zeros_like(ids)),
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


def _difference(
    encoder: TrainableQueryEncoder, path: Path, samples: Sequence[Sequence[int]]
) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for group in (samples[:1], samples):
        ids, mask = encoder.padded(group)
        with torch.no_grad():
            expected = encoder.encode(ids, mask)
        inputs = (ids.numpy(), mask.numpy(), torch.zeros_like(ids).numpy())
        (hidden,) = session.run([OUTPUT], dict(zip(INPUTS, inputs, strict=True)))
        vectors = pooled(torch.from_numpy(hidden), mask)
        worst = max(worst, float((vectors - expected).abs().max()))
    return worst
