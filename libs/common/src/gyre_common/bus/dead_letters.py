"""How a parked record carries why it failed: its own bytes, plus `gyre-dlq-*` headers."""

from dataclasses import dataclass
from datetime import datetime

from gyre_common.bus.envelope import Headers, text_header
from gyre_common.bus.record import RawRecord
from gyre_common.errors import Poison
from gyre_common.events.event import now

PREFIX = "gyre-dlq-"
_LONGEST_MESSAGE = 1_000


@dataclass(frozen=True)
class Cause:
    """Why, where and when a record was parked. `kind` is `poison` or `bug`."""

    kind: str
    error: str
    message: str
    topic: str
    partition: int
    offset: int
    attempts: int
    group: str
    parked_at: datetime


def cause_of(raw: RawRecord, error: Exception, *, attempts: int, group: str) -> Cause:
    """Describe why this record is parked now."""
    return Cause(
        kind="poison" if isinstance(error, Poison) else "bug",
        error=type(error).__name__,
        message=" ".join(str(error).split())[:_LONGEST_MESSAGE],
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        attempts=attempts,
        group=group,
        parked_at=now(),
    )


def headers_of(raw: RawRecord, cause: Cause) -> list[tuple[str, bytes]]:
    """The record's own headers, byte for byte, and the cause behind them."""
    added = {
        "kind": cause.kind,
        "error": cause.error,
        "message": cause.message,
        "topic": cause.topic,
        "partition": str(cause.partition),
        "offset": str(cause.offset),
        "attempts": str(cause.attempts),
        "group": cause.group,
        "time": cause.parked_at.isoformat().replace("+00:00", "Z"),
    }
    own = [(name, value) for name, value in raw.headers if not name.startswith(PREFIX)]
    return own + [(PREFIX + name, text.encode(errors="replace")) for name, text in added.items()]


def read_cause(headers: Headers) -> Cause | None:
    """The cause that a parked record carries; None if it is not one of ours."""

    def text(name: str) -> str:
        return text_header(headers, PREFIX + name) or ""

    try:
        return Cause(
            kind=text("kind"),
            error=text("error"),
            message=text("message"),
            topic=text("topic"),
            partition=int(text("partition")),
            offset=int(text("offset")),
            attempts=int(text("attempts")),
            group=text("group"),
            parked_at=datetime.fromisoformat(text("time")),
        )
    except ValueError:
        return None
