"""The trainer's variables: only those that every service has."""

from typing import ClassVar

from gyre_common.settings import ServiceSettings


class TrainerSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "trainer"
    grpc_port_base: ClassVar[int | None] = 50057
    metrics_port_base: ClassVar[int] = 9107
