"""The retriever's variables."""

from typing import ClassVar

from gyre_common.settings import ServiceSettings
from pydantic import Field


class RetrieverSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "retriever"
    grpc_port_base: ClassVar[int] = 50053
    metrics_port_base: ClassVar[int] = 9103

    embed_seconds: float = Field(default=1.0, gt=0, le=60)
    search_seconds: float = Field(default=5.0, gt=0, le=60)
    query_cache_size: int = Field(default=4096, ge=0, le=1_000_000)
