"""The judge's variables: only those that every service has."""

from typing import ClassVar

from gyre_common.settings import ServiceSettings


class JudgeSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "judge"
    grpc_port_base: ClassVar[int] = 50055
    metrics_port_base: ClassVar[int] = 9105
