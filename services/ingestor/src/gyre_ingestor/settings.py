"""What the ingestor can be told by its environment."""

from pathlib import Path
from typing import ClassVar

from gyre_common.settings import CommaList, ServiceSettings
from pydantic import Field

from gyre_ingestor.screening.choices import QuarantineSettings


class IngestorSettings(QuarantineSettings, ServiceSettings):
    """The ingestor's variables, beside those that every service has."""

    service: ClassVar[str] = "ingestor"
    grpc_port_base: ClassVar[int] = 50051
    metrics_port_base: ClassVar[int] = 9101

    max_document_bytes: int = Field(default=20 * 1024 * 1024, ge=1024)
    allowed_content_roots: CommaList = ()
    raw_days: int = Field(default=7, ge=1, le=3650)
    clock_skew_seconds: float = Field(default=300.0, ge=0)
    parse_seconds: float = Field(default=10.0, gt=0)
    parse_processes: int = Field(default=1, ge=1, le=64)
    parse_memory_mib: int = Field(default=2048, ge=512)
    source_secrets_dir: Path = Field(
        default_factory=lambda fields: fields["home"] / "source-secrets"
    )
    source_private_addresses: bool = False
