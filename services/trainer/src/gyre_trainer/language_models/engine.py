"""DeepSpeed around a language model, and what each step of a training has in common."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import deepspeed
import torch
from torch import Tensor

from gyre_trainer.language_models.batches import Tokenized
from gyre_trainer.language_models.config import LanguageModelConfig
from gyre_trainer.language_models.model import Save, TrainableGenerator, save_learned
from gyre_trainer.language_models.result import Losses, write_result
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.training.checkpoint import Checkpoints, Position
from gyre_trainer.training.divergence import check_loss
from gyre_trainer.training.program import Stopped
from gyre_trainer.training.workers import StepReport, Workers
from gyre_trainer.training.zero import zero_settings


def start_engine(
    model: TrainableGenerator, config: LanguageModelConfig, variant: StrEnum
) -> deepspeed.DeepSpeedEngine:
    """DeepSpeed in single precision with torch's own AdamW: nothing is compiled at run time."""
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        learning, lr=config.highest_rate(variant), weight_decay=config.weight_decay
    )
    settings = {
        # Batches are made here, and the loop says where a step ends.
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.clip,
        "zero_optimization": zero_settings(config.zero_stage, learning),
        "zero_allow_untested_optimizer": True,
    }
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
    return engine


def learned_weights(engine: deepspeed.DeepSpeedEngine) -> dict[str, Tensor]:
    """Those that learn, by the model's names, in the first process. Under ZeRO 3 each process has a
    share of them, so all take part; the others get none.
    """
    if engine.zero_optimization_partition_weights():
        # "16 bit" is the weights' own type, which is single precision here.
        learned = engine._zero3_consolidated_16bit_state_dict(exclude_frozen_parameters=True)
    else:
        learned = engine.module_state_dict(exclude_frozen_parameters=True)
    return dict(learned or {})


@dataclass(frozen=True)
class Course:
    """The way of a training from its first step to its last, `steps` in all."""

    folder: RunFolder
    variant: StrEnum
    config: LanguageModelConfig
    steps: int
    engine: deepspeed.DeepSpeedEngine
    workers: Workers
    checkpoints: Checkpoints

    def begin(self, samples: int) -> Position:
        """Where it goes on: the last checkpoint, or the beginning. The settings are kept and told.
        Raises as `Checkpoints.resume`.
        """
        position = self.checkpoints.resume()
        if self.workers.first:
            write_json(self.folder.variant(self.variant) / "config.json", self.config)
            sys.stdout.write(f"{self.variant}: {samples} samples, {self.config!r}\n")
        return position

    def set_rate(self, step: int) -> None:
        """The learning rate of a step, from 0."""
        for group in self.engine.optimizer.param_groups:
            group["lr"] = self.config.rate_at(step, self.steps, self.variant)

    def finish_step(
        self,
        position: Position,
        own: StepReport,
        seconds: float,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Count the step, tell of it, keep it where it is time to. Raises as `check_loss`, and
        Stopped where somebody wants an end.
        """
        totals = self.workers.sum_reports(own)
        check_loss([*position.losses, totals.loss], self.steps)
        position.add(totals, seconds)
        if self.workers.first:
            self._tell(position, totals, metrics or {})
        done = position.step == self.steps
        every = self.config.checkpoint_every
        if done or totals.stop or self.checkpoints.is_due(position, every=every):
            self.checkpoints.save(position)
        if totals.stop and not done:
            raise Stopped(
                f"stopped after step {position.step} of {self.steps}; started again, it goes on"
            )

    def finish(
        self,
        position: Position,
        *,
        fit: Tokenized,
        validation: Losses,
        save: Save = save_learned,
    ) -> None:
        """Keep what was learned, and say how it went. All processes take part; the first writes.
        Raises Retryable when the disk is full or read-only.
        """
        learned = learned_weights(self.engine)
        if self.workers.first:
            write_result(
                self.folder.variant(self.variant),
                self.variant,
                self.config,
                position,
                lambda folder: save(self.engine.module, learned, folder),
                fit=fit,
                validation=validation,
            )

    def _tell(self, position: Position, totals: StepReport, metrics: Mapping[str, float]) -> None:
        progress_metrics = {
            "loss": totals.loss,
            **metrics,
            "rate": self.config.rate_at(position.step - 1, self.steps, self.variant),
            "tokens_per_second": position.tokens / position.seconds,
            "seconds_left": position.seconds / position.step * (self.steps - position.step),
        }
        self.folder.progress(self.variant, position.step, self.steps, progress_metrics)
