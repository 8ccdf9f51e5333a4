"""Where a system is, and who calls it."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote


@dataclass(frozen=True)
class Addresses:
    """Where each service answers, as HOST:PORT."""

    ingestor: str = "127.0.0.1:50051"
    embedder: str = "127.0.0.1:50052"
    retriever: str = "127.0.0.1:50053"
    generator: str = "127.0.0.1:50054"
    judge: str = "127.0.0.1:50055"
    feedback: str = "127.0.0.1:50056"
    trainer: str = "127.0.0.1:50057"
    telemetry: str = "127.0.0.1:50058"
    releases: str = "127.0.0.1:50059"

    @classmethod
    def on(cls, host: str, *, port_offset: int = 0) -> Self:
        """All of them on one machine, `port_offset` above the usual ports."""
        usual = {name: int(default.rpartition(":")[2]) for name, default in vars(cls()).items()}
        return cls(**{name: f"{host}:{port + port_offset}" for name, port in usual.items()})


@dataclass(frozen=True)
class Caller:
    """Who calls. `groups` are the access groups it may read; `actor` asks, votes and releases.

    `metadata` goes along with every call as it is, such as ("traceparent", …).
    """

    tenant: str = "default"
    groups: tuple[str, ...] = ()
    key: str | None = field(default=None, repr=False)
    actor: str = ""
    metadata: tuple[tuple[str, str], ...] = ()

    def to_metadata(self) -> tuple[tuple[str, str], ...]:
        """As Gyre's servers read it."""
        pairs = [("gyre-tenant", self.tenant), *self.metadata]
        if self.groups:
            pairs.append(("gyre-acl", ",".join(quote(one, safe=" /:@") for one in self.groups)))
        if self.key:
            pairs.append(("authorization", f"Bearer {self.key}"))
        return tuple(pairs)
