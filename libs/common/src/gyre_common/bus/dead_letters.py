"""How a parked record carries why it failed: its own bytes, plus `gyre-dlq-*` headers.

What is too large to be parked is parked as a stub: without its value, with its digest and size.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gyre_common.bus.envelope import Headers, text_header
from gyre_common.bus.record import RawRecord
from gyre_common.bus.unread_value import UnreadValue, sha256
from gyre_common.errors import Poison
from gyre_common.events.event import now

PREFIX = "gyre-dlq-"
SKIPPED = "skipped"
_LONGEST_MESSAGE = 1_000
_MOST_KEPT_BY_A_STUB = 16 * 1024


@dataclass(frozen=True)
class Cause:
    """Why, where and when a record was parked. `kind` is `poison`, `bug` or `skipped`.

    A stub has a digest (`sha256:…`) and a size in bytes: of its value after decompression or,
    where that was not read, of its batch as it lay in Kafka.
    """

    kind: str
    error: str
    message: str
    topic: str
    partition: int
    offset: int
    attempts: int
    group: str
    parked_at: datetime
    digest: str = ""
    size: int | None = None


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
    return _with_cause(raw.headers, cause)


def stub_of(raw: RawRecord, cause: Cause) -> tuple[bytes | None, None, list[tuple[str, bytes]]]:
    """Key, value and headers of what is parked in place of a record that is too large.

    Key and headers are the record's own unless they are large themselves.
    """
    value = b"" if raw.value is None else raw.value
    if isinstance(value, UnreadValue):
        cause = replace(cause, digest=value.digest, size=value.size)
    else:
        cause = replace(cause, digest=sha256(value), size=len(value))
    key = raw.key if len(raw.key or b"") <= _MOST_KEPT_BY_A_STUB else None
    size = sum(len(name) + len(value or b"") for name, value in raw.headers)
    own = raw.headers if size <= _MOST_KEPT_BY_A_STUB else ()
    return key, None, _with_cause(own, cause)


def stub_headers(cause: Cause, *, actor: str, reason: str) -> list[tuple[str, bytes]]:
    """Of the stub of a record that somebody skipped: the cause, and who and why."""
    decided = {"actor": actor, "reason": reason}
    headers = [(PREFIX + name, text.encode(errors="replace")) for name, text in decided.items()]
    return _with_cause((), cause) + headers


def _with_cause(own: Headers, cause: Cause) -> list[tuple[str, bytes]]:
    cause_headers = {
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
    if cause.digest:
        cause_headers |= {"digest": cause.digest, "size": str(cause.size)}
    own_headers = [(name, value) for name, value in own if not name.startswith(PREFIX)]
    return own_headers + [
        (PREFIX + name, text.encode(errors="replace")) for name, text in cause_headers.items()
    ]


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
            digest=text("digest"),
            size=int(text("size")) if text("digest") else None,
        )
    except ValueError:
        return None
