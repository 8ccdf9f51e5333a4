"""The variables of the release controller."""

from typing import ClassVar

from gyre_common.settings import ServiceSettings


class ReleasesSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "releases"
    grpc_port_base: ClassVar[int] = 50059
    metrics_port_base: ClassVar[int] = 9109
