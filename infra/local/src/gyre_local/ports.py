"""Every port of a local system, so that one offset moves them all."""

from dataclasses import dataclass
from typing import Self, overload

from gyre_local.errors import LocalError

SERVICES = (
    "ingestor",
    "embedder",
    "retriever",
    "generator",
    "judge",
    "feedback-collector",
    "trainer",
    "telemetry",
    "releases",
)
"""In the order of the table of services, which is also the order of their ports."""

STEP = 100
LARGEST_OFFSET = 15_000


@dataclass(frozen=True)
class _Shifted:
    """A port that reads as its number at offset 0 plus the offset."""

    base: int

    @overload
    def __get__(self, ports: None, owner: type["Ports"]) -> Self: ...
    @overload
    def __get__(self, ports: "Ports", owner: type["Ports"]) -> int: ...
    def __get__(self, ports: "Ports | None", owner: type["Ports"]) -> Self | int:
        return self if ports is None else self.base + ports.offset


@dataclass(frozen=True)
class Ports:
    """All ports of one system. No two are a multiple of STEP apart, so systems never overlap."""

    offset: int = 0

    kafka = _Shifted(9092)
    kafka_controller = _Shifted(9093)
    elasticsearch = _Shifted(9200)
    elasticsearch_transport = _Shifted(9294)
    clickhouse = _Shifted(8123)
    gateway = _Shifted(8080)
    gateway_metrics = _Shifted(9110)

    def __post_init__(self) -> None:
        if self.offset % STEP or not 0 <= self.offset <= LARGEST_OFFSET:
            raise LocalError(
                f"port offset {self.offset} is not usable: "
                f"give a multiple of {STEP} from 0 to {LARGEST_OFFSET}"
            )

    def grpc(self, service: str) -> int:
        """Where a service of SERVICES answers RPCs."""
        return 50051 + SERVICES.index(service) + self.offset

    def metrics(self, service: str) -> int:
        """Where a service of SERVICES shows its metrics."""
        return 9101 + SERVICES.index(service) + self.offset

    def all(self) -> tuple[int, ...]:
        """Every port that a whole system may use."""
        shifted = (value for value in vars(Ports).values() if isinstance(value, _Shifted))
        own = (port.base + self.offset for port in shifted)
        return (*own, *map(self.grpc, SERVICES), *map(self.metrics, SERVICES))

    @property
    def kafka_servers(self) -> str:
        """As GYRE_KAFKA_SERVERS wants it."""
        return f"127.0.0.1:{self.kafka}"

    @property
    def elasticsearch_url(self) -> str:
        """As GYRE_ELASTICSEARCH_URL wants it."""
        return f"http://127.0.0.1:{self.elasticsearch}"

    @property
    def clickhouse_url(self) -> str:
        """As GYRE_CLICKHOUSE_URL wants it."""
        return f"http://127.0.0.1:{self.clickhouse}"
