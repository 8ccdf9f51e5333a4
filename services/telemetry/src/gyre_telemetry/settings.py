"""The telemetry service's variables: how to reach ClickHouse, and how large a batch may grow."""

from pathlib import Path
from typing import ClassVar

from gyre_common.settings import ServiceSettings
from pydantic import Field, SecretStr


class TelemetrySettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "telemetry"
    grpc_port_base: ClassVar[int] = 50058
    metrics_port_base: ClassVar[int] = 9108

    clickhouse_user: str = "default"
    clickhouse_password: SecretStr = SecretStr("")
    migrations: Path | None = None
    insert_records: int = Field(default=1_000, ge=1, le=100_000)
    dead_letter_hours: float = Field(default=24, gt=0)
    insert_wait: float = Field(default=0.25, gt=0, le=10)
