"""The trainer's variables."""

from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from gyre_common.settings import ServiceSettings
from pydantic import Field, FilePath


class TrainingLauncher(StrEnum):
    """Who starts the workers of a training. `none`: nodes that each run
    `python -m gyre_trainer.training.node`, and the trainer waits for what they make.
    """

    DEEPSPEED = "deepspeed"
    NONE = "none"


class TrainerSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "trainer"
    grpc_port_base: ClassVar[int] = 50057
    metrics_port_base: ClassVar[int] = 9107

    segment_records: int = Field(default=5_000, ge=1, le=100_000)
    segment_seconds: float = Field(default=2.0, ge=0, le=300)
    train_processes: int = Field(default=2, ge=1, le=64)
    training_hostfile: FilePath | None = None
    training_launcher: TrainingLauncher = TrainingLauncher.DEEPSPEED
    runs_kept: int = Field(default=5, ge=1, le=1000)
    facts_days: int = Field(default=365, ge=1, le=36_500)
    collect_seconds: float = Field(default=15.0, gt=0, le=600)

    @property
    def runs(self) -> Path:
        """Where each run has its folder."""
        return self.home / "runs"

    @property
    def model_cache(self) -> Path:
        """Where the base model's files are brought."""
        return self.home / "models" / "trainer"
