"""The judge's variables."""

import os
from pathlib import Path
from typing import ClassVar

from gyre_common.settings import ServiceSettings
from pydantic import Field


class JudgeSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "judge"
    grpc_port_base: ClassVar[int] = 50055
    metrics_port_base: ClassVar[int] = 9105

    reward_threads: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=256)
    reward_memory_mb: int = Field(default=2_048, ge=1)

    @property
    def model_cache(self) -> Path:
        """Where the files of reward models are brought."""
        return self.home / "models" / "judge"
