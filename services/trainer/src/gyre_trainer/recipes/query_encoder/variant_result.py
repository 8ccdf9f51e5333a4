"""What a variant came to: its weights, and how good they are between the base and there."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from gyre_common.errors import Retryable
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.inputs import Floats, RunData
from gyre_trainer.recipes.query_encoder.model import (
    TrainableQueryEncoder,
    interpolate_weights,
    open_tokenizer,
    window,
)
from gyre_trainer.recipes.query_encoder.questions import merge_questions
from gyre_trainer.recipes.query_encoder.validation import Quality, Validation, chosen_share
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.position import Position

TUNED = "tuned.safetensors"
RESULT = "result.json"
_AT_ONCE = 64


class VariantResult(BaseModel):
    """`result.json`: what a variant cost and what it is worth. `loss` has a number a step.

    `cpu_seconds` is of all processes, `tokens` are real ones, without padding.
    """

    model_config = ConfigDict(frozen=True)

    variant: Variant
    steps: int
    loss: tuple[float, ...]
    tokens: int
    cpu_seconds: float
    seconds: float
    settings: QueryEncoderConfig
    questions: Mapping[str, int]
    validation: tuple[Quality, ...]
    chosen_share: float

    @property
    def chosen_quality(self) -> Quality:
        """The quality at the chosen share."""
        return next(each for each in self.validation if each.share == self.chosen_share)


def write_result(
    own: Path,
    variant: Variant,
    config: QueryEncoderConfig,
    position: Position,
    base: TrainableQueryEncoder,
    tuned: Mapping[str, Tensor],
    data: RunData,
) -> VariantResult:
    """Validate each share, write the weights, then `result.json`.

    Raises:
        Retryable: the disk is full or read-only.
    """
    folder = data.base_folder
    tokenizer = open_tokenizer(folder, window(folder))
    validation = Validation(
        merge_questions(data.questions, "validation"),
        data.corpus,
        data.live,
        dense_weight=data.dense_weight,
        depth=data.depth,
    )
    encoder = copy.deepcopy(base).cpu()
    state = encoder.bert.state_dict()
    start = {name: state[name].clone() for name in tuned}
    vectors = {}
    for share in (0.0, *config.shares):
        encoder.bert.load_state_dict(interpolate_weights(start, tuned, share), strict=False)
        vectors[share] = encode_texts(encoder, tokenizer, validation.texts)
    qualities = validation.qualities(vectors)
    result = VariantResult(
        variant=variant,
        steps=position.step,
        loss=tuple(position.losses),
        tokens=position.tokens,
        cpu_seconds=position.cpu_seconds,
        seconds=position.seconds,
        settings=config,
        questions={"fit": len(merge_questions(data.questions, "fit")), **validation.counts},
        validation=tuple(qualities),
        chosen_share=chosen_share(qualities),
    )
    _write(own, result, tuned)
    return result


def encode_texts(
    encoder: TrainableQueryEncoder, tokenizer: Tokenizer, texts: Sequence[str]
) -> Floats:
    """Vectors of length 1, shape (texts, d)."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), _AT_ONCE):
            ids = [
                each.ids for each in tokenizer.encode_batch(list(texts[start : start + _AT_ONCE]))
            ]
            parts.append(encoder(ids).cpu())
    if not parts:
        parts.append(encoder([]).cpu())
    vectors: Floats = torch.cat(parts).numpy()
    return vectors


def _write(own: Path, result: VariantResult, tuned: Mapping[str, Tensor]) -> None:
    partial = own / f".{TUNED}"
    try:
        save_file(dict(tuned), partial)
        partial.replace(own / TUNED)
        write_json(own / RESULT, result)
    except (OSError, SafetensorError) as error:
        raise Retryable(
            f"cannot write to {own}: {error} — make room and start the run again"
        ) from error
