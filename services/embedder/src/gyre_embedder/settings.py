"""The embedder's variables."""

import os
from pathlib import Path
from typing import Annotated, ClassVar

from gyre_common.settings import ServiceSettings
from pydantic import Field, StringConstraints


class EmbedderSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "embedder"
    grpc_port_base: ClassVar[int] = 50052
    metrics_port_base: ClassVar[int] = 9102

    encoder_threads: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1, le=256)
    encoder_memory_mb: int = Field(default=2_048, ge=1)
    index_shards: int = Field(default=1, ge=1, le=1024)
    index_refresh_interval: Annotated[str, StringConstraints(pattern=r"^(-1|\d+(ms|s|m))$")] = "-1"
    model_cache: Path = Field(default_factory=lambda known: known["home"] / "models")
