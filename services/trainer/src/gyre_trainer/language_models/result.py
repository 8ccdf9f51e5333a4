"""What a training leaves: the learned weights, and `result.json`, which says how it went."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from gyre_common.errors import Retryable
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError

from gyre_trainer.language_models.batches import Tokenized
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.checkpoint import Position

RESULT, LEARNED = "result.json", "learned"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Losses(_Part):
    """The recipe's loss of `questions` that taught nothing; None where there are none."""

    before: float | None
    after: float | None
    questions: int


class VariantResult(_Part):
    """How a variant was trained. `samples` were learned from: of them `cut` lost a part of a
    passage; `left_out` were too long. `loss` is that of each step.
    """

    variant: str
    settings: Mapping[str, Any]
    samples: int
    cut: int
    left_out: int
    steps: int
    tokens: int
    seconds: float
    cpu_seconds: float
    loss: tuple[float, ...]
    validation: Losses


def write_result(
    folder: Path,
    variant: StrEnum,
    config: LanguageModelConfig,
    position: Position,
    save: Callable[[Path], None],
    *,
    fit: Tokenized,
    validation: Losses,
) -> None:
    """The weights first, then the mark. Raises Retryable when the disk is full or read-only."""
    result = VariantResult(
        variant=variant,
        settings=config.model_dump(mode="json"),
        samples=len(fit.samples),
        cut=fit.cut,
        left_out=fit.left_out,
        steps=position.step,
        tokens=position.tokens,
        seconds=position.seconds,
        cpu_seconds=position.cpu_seconds,
        loss=tuple(position.losses),
        validation=validation,
    )
    try:
        save(folder / LEARNED)
        write_json(folder / RESULT, result)
    except (OSError, SafetensorError) as error:
        raise Retryable(f"cannot write to {folder}: {error}") from error
