"""The feedback-collector's variables: only those that every service has."""

from typing import ClassVar

from gyre_common.settings import ServiceSettings


class FeedbackCollectorSettings(ServiceSettings):
    """Set by GYRE_… environment variables; see README.md."""

    service: ClassVar[str] = "feedback-collector"
    grpc_port_base: ClassVar[int] = 50056
    metrics_port_base: ClassVar[int] = 9106
