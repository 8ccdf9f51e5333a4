"""The gateway's variables."""

from typing import Any, ClassVar

from gyre_common.settings import Address, CommaList, ServiceSettings, is_loopback
from pydantic import Field, SecretStr


def _service(base: int) -> Any:
    return Field(default_factory=lambda fields: f"127.0.0.1:{base + fields['port_offset']}")


class GatewaySettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "gateway"
    grpc_port_base: ClassVar[int] = 50060
    metrics_port_base: ClassVar[int] = 9110
    http_port_base: ClassVar[int] = 8080

    http_hosts: CommaList = ()
    allowed_origins: CommaList = ()
    session_secret: SecretStr = SecretStr("")
    max_document_bytes: int = Field(default=20 * 1024 * 1024, ge=1024)
    body_stall_seconds: float = Field(default=60.0, gt=0, le=3600)
    heartbeat_seconds: float = Field(default=15.0, gt=0, le=300)
    answer_seconds: float = Field(default=120.0, gt=0, le=3600)

    ingestor_address: Address = _service(50051)
    generator_address: Address = _service(50054)
    judge_address: Address = _service(50055)
    feedback_address: Address = _service(50056)
    trainer_address: Address = _service(50057)
    telemetry_address: Address = _service(50058)

    @property
    def http_port(self) -> int:
        """Where HTTP is answered."""
        return self.http_port_base + self.port_offset

    @property
    def accepted_hosts(self) -> tuple[str, ...]:
        """Names under which browsers may reach it; `*` where they are not limited."""
        own = ("127.0.0.1", "localhost", "[::1]")
        if self.http_hosts or is_loopback(self.host):
            return (*own, *self.http_hosts)
        return ("*",)
