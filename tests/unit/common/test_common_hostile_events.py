"""Whatever stands in a record of any topic: it is an event, or refused; never something between.

Every value of every example, replaced by what JSON can hold and what it cannot, by the seed.
"""

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from gyre_common.events import ALL_TOPICS, Topic
from gyre_telemetry.translation import TRANSLATIONS, Origin
from pydantic import ValidationError

from tests.attack.payloads import json_values
from tests.builders import EXAMPLES, MORNING

SEED, A_FIELD = 13, 12
ORIGIN = Origin(event_id=UUID(int=1), time=MORNING, trace_id="", offset=7)
_MARK = "\x00here\x00"


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where a value stands, at every depth."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, *path, name)
    elif isinstance(value, list):
        for number, inner in enumerate(value[:2]):
            yield from places(inner, *path, number)


def with_value(value: Any, path: tuple[str | int, ...], text: str) -> bytes:
    """The JSON with `text` in that place, as it is."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = _MARK
    return json.dumps(copy).replace(json.dumps(_MARK), text).encode(errors="surrogatepass")


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_a_record_is_an_event_or_refused(topic: Topic[Any]) -> None:
    example = json.loads(EXAMPLES[topic.name].to_json())
    translations = [rows for known, rows in TRANSLATIONS if known is topic]
    chance, values = random.Random(SEED), list(json_values())
    tried = events = 0
    for path in places(example):
        for _, text in chance.sample(values, A_FIELD):
            tried += 1
            try:
                event = topic.model.from_json(with_value(example, path, text))
            except ValidationError:
                continue
            events += 1
            again = topic.model.from_json(event.to_json())
            assert json.loads(again.to_json()) == json.loads(event.to_json())
            for rows in translations:
                for row in rows(event, ORIGIN):
                    assert row.values
    assert tried > events > 0


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"\xff\xfe{}", b"[]", b"null", b"0", b'"x"', b"\xef\xbb\xbf{}", b"{}{}"),
        *(b"[" * 100_000, b'{"a":' * 50_000, b'{"tenant": "\\ud800"}', b"\x00" * 100, b"NaN"),
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_what_is_no_json_object_is_refused(topic: Topic[Any], data: bytes) -> None:
    with pytest.raises(ValidationError):
        topic.model.from_json(data)
