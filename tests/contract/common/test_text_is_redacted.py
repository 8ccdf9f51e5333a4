"""Text enters facts, telemetry and data sets through `redact` alone: a field that goes round it
fails here.
"""

import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints
from uuid import uuid4

import numpy as np
import pyarrow.parquet as pq
import pytest
from gyre_common.bus.dead_letters import cause_of, headers_with
from gyre_common.errors import Poison
from gyre_common.events import ALL_TOPICS
from gyre_common.events.event import IsText
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, GuardrailResult, Turn
from gyre_common.events.topic import Topic
from gyre_common.redaction import RedactedText, events, redact, redacted
from gyre_common.redaction.choices import choices
from gyre_common.store import Shelf
from gyre_telemetry import translation
from gyre_telemetry.clickhouse_redaction import redacted_row, text_columns
from gyre_telemetry.handlers import build_handlers as build_telemetry
from gyre_telemetry.migrations import default_folder, read_migrations
from gyre_telemetry.schema_reference import read_catalogue
from gyre_telemetry.service import TableRow, Telemetry
from gyre_telemetry.translation import TRANSLATIONS, origin_of
from gyre_trainer.data_sets.freezing import question_texts
from gyre_trainer.data_sets.frozen import FrozenDataSet
from gyre_trainer.handlers import build_handlers
from gyre_trainer.recipes.query_encoder.prepare import PassageSample
from gyre_trainer.segments import FOLDER, Collector, Segments
from pydantic import BaseModel

from tests.builders import EXAMPLES
from tests.fakes.bus import MemoryBus, StoredRecord

SECRET = "secret-of-somebody"
MIGRATIONS = read_migrations(default_folder())
NO_TEXT = frozenset(
    {
        *("tenant", "document_id", "part_of", "submission_id", "interaction_id", "feedback_id"),
        *("actor", "conversation_id", "acl", "writer_groups", "target", "name", "metric", "role"),
        *("media_type", "language", "stage"),
        *("content_uri", "content_base64", "content_ref", "content_digest", "uri"),
        *("chunks_ref", "chunks_digest", "digest", "artifact", "report", "report_uri", "data_set"),
        *("index", "ingestion_version", "encoder_version", "prompt_version", "judge_version"),
        *("version", "versions", "base", "live", "shadow", "history", "fits", "arms", "window"),
        *("recipe", "profile", "code", "settings", "latency_ms", "scores", "metrics"),
        *("against", "companions", "source", "kind", "schedule", "rule"),
    }
)
"""Fields of events that hold names, ids and choices. Whatever is added is text until it is here."""


def models_of(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield kind
    for hint in get_type_hints(kind).values():
        for part in _parts(hint):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models_of(part)


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _parts(argument)


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_every_field_of_an_event_that_may_hold_words_is_a_text(topic: Topic[Any]) -> None:
    for model in models_of(topic.model):
        hints = get_type_hints(model, include_extras=True)
        for name, hint in hints.items():
            parts = list(_parts(hint))
            is_text = any(isinstance(part, IsText) for part in parts)
            is_plain = str in parts and name in model.model_fields
            assert not is_plain or is_text or name in NO_TEXT, (
                f"{model.__name__}.{name} is a `str`: make it a `Text`, or name it in NO_TEXT "
                "where it cannot hold what somebody wrote"
            )


def without_secrets(text: str) -> str:
    return text.replace(SECRET, "[gone]")


@pytest.fixture
def redacting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "redact_text", lambda text, *_: RedactedText(without_secrets(text)))


def example_with_text(topic: Topic[Any]) -> Any:
    """The topic's example with the secret in each of its texts."""
    event = EXAMPLES[topic.name]
    if topic is INTERACTION_COMPLETED:
        event = event.model_copy(
            update={
                "query": "tea\nhow hot?",
                "history": (Turn(role="user", content="tea"),),
                "fallbacks": ("a version was missing",),
                "error": "none",
                "guardrails": (GuardrailResult(name="grounded", passed=True, detail="all"),),
            }
        )
    if topic is FEEDBACK_RECEIVED:
        event = event.model_copy(update={"comment": "good"})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "redact_text", lambda text, *_: RedactedText(f"{text} {SECRET}"))
        return redacted(event)


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_an_event_has_its_texts_redacted_and_nothing_else(
    topic: Topic[Any], redacting: None
) -> None:
    event = example_with_text(topic)
    after = redacted(event)
    assert SECRET not in repr(after)
    assert repr(after) == repr(event).replace(SECRET, "[gone]")


def test_what_is_to_be_kept_is_kept() -> None:
    for event in EXAMPLES.values():
        assert redacted(event) is event


@pytest.fixture
async def store(tmp_path: Path, redacting: None) -> Path:
    """A store into which everything was collected."""
    bus = MemoryBus()
    segments = Segments(Shelf(f"file://{tmp_path}", FOLDER))
    build_handlers(bus, Collector(segments))
    async with bus:
        for topic in ALL_TOPICS:
            await bus.deliver(topic, example_with_text(topic))
    assert bus.parked == []
    return tmp_path


async def test_facts_hold_redacted_texts_only(store: Path) -> None:
    files = [path for path in store.rglob("*") if path.is_file()]
    tables = [pq.read_table(io.BytesIO(path.read_bytes())).to_pylist() for path in files]
    assert len(tables) == 4  # a segment a topic, and the passages
    assert SECRET not in repr(tables)
    assert repr(tables).count("[gone]") >= 8


class RowsInMemory:
    """A sink that a test looks into."""

    def __init__(self) -> None:
        self.rows: list[TableRow] = []

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        self.rows += rows


async def test_telemetry_holds_redacted_texts_only(redacting: None) -> None:
    sink, bus = RowsInMemory(), MemoryBus()
    build_telemetry(bus, Telemetry(sink), records=10, wait=0.01)
    async with bus:
        for topic in ALL_TOPICS:
            await bus.deliver(topic, example_with_text(topic))
    assert bus.parked == []
    origin = origin_of(StoredRecord("any", 0, 0, 0, None, None))
    rows = [
        row for topic, translate in TRANSLATIONS for row in translate(EXAMPLES[topic.name], origin)
    ]
    assert {row.table for row in sink.rows} == {row.table for row in rows}
    assert SECRET not in repr(sink.rows)


@pytest.mark.parametrize(
    ("topic", "translate"), TRANSLATIONS, ids=lambda each: getattr(each, "name", "")
)
def test_rows_of_before_are_redacted_in_the_same_columns(
    topic: Topic[Any], translate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = example_with_text(topic)
    origin = origin_of(StoredRecord("any", 0, 0, 0, None, None))
    monkeypatch.setattr(events, "redact_text", lambda text, *_: RedactedText(without_secrets(text)))
    columns = {(each["table"], each["name"]) for each in read_catalogue(MIGRATIONS)[1]}
    before, after = list(translate(event, origin)), list(translate(redacted(event), origin))
    for raw, wanted in zip(before, after, strict=True):
        names = [name for name in raw.values if (raw.table, name) in columns]
        row = {name: plain(raw.values[name]) for name in names}
        expected = {name: plain(wanted.values[name]) for name in names}
        assert redacted_row(row, text_columns(raw.table), {}) == expected


def plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: plain(part) for name, part in vars(value).items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def test_what_an_error_says_of_a_dead_letter_is_redacted(redacting: None) -> None:
    raw = StoredRecord("feedback.received.v1.dlq", 0, 1, 0, b"acme/1", b"{", ())
    cause = cause_of(raw, Poison(f"not {SECRET}"), attempts=1, group="trainer")
    parked = replace(raw, headers=tuple(headers_with(raw.headers, cause)))
    [row] = translation.dead_letter(parked, origin_of(parked))
    assert "not [gone]" in repr(row)


async def test_data_sets_read_redacted_texts_only(redacting: None) -> None:
    fact = SimpleNamespace(tenant="acme", interaction_id="1", searched=f"tea {SECRET}")

    class OneFact:
        async def interactions(self, window: object, tenant: object) -> AsyncIterator[list[Any]]:
            yield [fact]

    row = b'{"tenant":"acme","question_id":"1"}\n'
    frozen = FrozenDataSet("d", "acme", {"window": {}}, {"train.jsonl": row, "gate.jsonl": b""})
    texts = await question_texts(frozen, OneFact())  # type: ignore[arg-type]
    assert texts == {("acme", "1"): "tea [gone]"}


def test_a_runs_passages_are_redacted(redacting: None) -> None:
    sample = PassageSample(10, frozenset())
    hit = {"chunk_id": str(uuid4()), "tenant": "acme", "title": SECRET, "text": f"tea {SECRET}"}
    sample.take({**hit, "vector": np.zeros(2)})
    [(passage, _)] = sample.passages()
    assert (passage["title"], passage["text"]) == ("[gone]", "tea [gone]")


@pytest.fixture
def of_tenants(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GYRE_PERSONAL_DATA_OF_TENANTS", "acme=mask,globex=drop")
    choices.cache_clear()
    yield
    choices.cache_clear()


def test_redaction_is_asked_by_tenant(of_tenants: None) -> None:
    text = "mail ann@example.com"
    redactions = [redact(text, tenant) for tenant in ("acme", "globex", "initech")]
    assert redactions == ["mail [EMAIL_ADDRESS]", "mail […]", text]
