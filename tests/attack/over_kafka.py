"""Attempts over Kafka: records on the topic that outside producers may write to."""

import json
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from gyre_common.events.documents import DOCUMENT_SUBMITTED, DocumentSubmitted

from tests.attack.attempt import Attempt
from tests.attack.payloads import json_values, texts

TOPIC = DOCUMENT_SUBMITTED.name
_VALUE = {"tenant": "attack", "document_id": "attack/kafka.md", "text": "Tea is hot."}
_KEYS = (b"", b"\xff" * 20, b"x" * 5_000, b"default/tea.md", b"\x00")
_HEADERS: tuple[tuple[str, bytes], ...] = (
    *(("ce_id", value) for value in (b"\xff", b"", b"x" * 5_000, b"../x")),
    *(
        ("ce_time", value)
        for value in (
            *(b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"\xff", b"9" * 5_000),
            *(b"2016-12-31T23:59:60Z", b"10000-01-01T00:00:00Z"),
        )
    ),
    *(("traceparent", value) for value in (b"\xff", b"00-" + b"0" * 32, b"x" * 5_000)),
    *(("content-type", value) for value in (b"\xff", b"text/plain; charset=idna", b"x" * 5_000)),
    *(("ce_type", value) for value in (b"\xff", b"gyre.releases.changed.v1")),
    *((name, b"x") for name in ("", "x" * 5_000, "\x1b[2J", "ce_" + "ü" * 300)),
    ("ce_source", b"\x00" * 100),
)
_RECORDS: tuple[bytes | None, ...] = (
    *(None, b"", b"{", b"\xff\xfe", b"[]", b"null", b"0", b'"x"', b"\xef\xbb\xbf{}", b"{}{}"),
    *(b"[" * 100_000, b'{"a":' * 50_000, b" " * 900_000, b"\x00" * 1_000),
)


def held(result: str) -> bool:
    """What the broker took is judged at the end: whether others were still served."""
    return result in ("taken", "refused by the broker")


def attempts(producer: AIOKafkaProducer) -> Iterator[Attempt]:
    """All of them, field by field of the event's schema."""
    for name in DocumentSubmitted.model_fields:
        rest = {key: value for key, value in _VALUE.items() if key != name}
        for kind, value in json_values():
            text = f'{json.dumps(rest)[:-1]}, "{name}": {value}}}'
            data = text.encode(errors="surrogatepass")
            yield _attempt(producer, kind, f"{name} = {value[:40]!r}", data)
    for kind, text in texts():
        value = json.dumps({**_VALUE, "text": text})
        yield _attempt(producer, kind, f"text = {text[:40]!r}", value.encode())
    for record in _RECORDS:
        yield _attempt(producer, "no event", repr(record and record[:20]), record)
    plain = json.dumps(_VALUE).encode()
    for key in _KEYS:
        yield _attempt(producer, "keys", repr(key[:20]), plain, key=key)
    for header, content in _HEADERS:
        shown = f"{header[:20]!r}: {content[:20]!r}"
        yield _attempt(producer, "headers", shown, plain, headers=[(header, content)])
    many = [(f"h{number}", b"x") for number in range(2_000)]
    yield _attempt(producer, "headers", "2,000 of them", plain, headers=many)
    for moment in (0, 1, 253_402_300_799_000, 2**62):
        yield _attempt(producer, "times", f"timestamp {moment}", plain, timestamp_ms=moment)


def _attempt(
    producer: AIOKafkaProducer, kind: str, name: str, data: bytes | None, **how: Any
) -> Attempt:
    async def send() -> str:
        try:
            await producer.send_and_wait(TOPIC, data, **how)
        except (MessageSizeTooLargeError, KafkaError):
            return "refused by the broker"
        return "taken"

    return Attempt("Kafka", kind, name, send)
