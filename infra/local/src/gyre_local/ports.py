"""Every port of a local system, so that one offset moves them all."""

from gyre_local.errors import LocalError

GATEWAY = "gateway"

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
    GATEWAY,
)
"""In the order of their ports: a new one goes to the end."""

STEP = 100
LARGEST_OFFSET = 15_000

_REFUSED_BY_BROWSERS = frozenset({10_080})
"""Of those that an offset can give the page (Fetch Standard, section 2.9, port blocking)."""


class Ports:
    """All ports of one system. No two are a multiple of STEP apart, so systems never overlap."""

    def __init__(self, offset: int = 0) -> None:
        if offset % STEP or not 0 <= offset <= LARGEST_OFFSET:
            raise LocalError(
                f"port offset {offset} is not usable: "
                f"give a multiple of {STEP} from 0 to {LARGEST_OFFSET}"
            )
        self.offset = offset
        self.kafka = 9092 + offset
        self.kafka_controller = 9093 + offset
        self.elasticsearch = 9200 + offset
        self.elasticsearch_transport = 9294 + offset
        self.clickhouse = 8123 + offset
        self.http = 8080 + offset
        if self.http in _REFUSED_BY_BROWSERS:
            raise LocalError(
                f"port offset {offset} is not usable: it puts the page on port {self.http}, which "
                f"browsers refuse to open; give {offset + STEP}"
            )
        self.language_model = 8090 + offset
        # As the variables of the same names want them.
        self.kafka_servers = f"127.0.0.1:{self.kafka}"
        self.elasticsearch_url = f"http://127.0.0.1:{self.elasticsearch}"
        self.clickhouse_url = f"http://127.0.0.1:{self.clickhouse}"
        self.llm_url = f"http://127.0.0.1:{self.language_model}/v1"

    def grpc(self, service: str) -> int:
        """Where a service of SERVICES answers RPCs."""
        return 50051 + SERVICES.index(service) + self.offset

    def metrics(self, service: str) -> int:
        """Where a service of SERVICES shows its metrics."""
        return 9101 + SERVICES.index(service) + self.offset

    def of(self, service: str) -> dict[str, int]:
        """Every port of a service of SERVICES, by what it is for."""
        ports = {"grpc": self.grpc(service), "metrics": self.metrics(service)}
        return {**ports, "http": self.http} if service == GATEWAY else ports

    def all(self) -> tuple[int, ...]:
        """Every port that a whole system may use."""
        fields = vars(self).items()
        own = (port for name, port in fields if isinstance(port, int) and name != "offset")
        return (*own, *map(self.grpc, SERVICES), *map(self.metrics, SERVICES))
