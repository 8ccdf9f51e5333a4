"""Every column has a fact that fills it, and every field of a fact a column, or a reason."""

from collections import defaultdict
from collections.abc import Iterable

from gyre_telemetry.migrations import default_folder, read_migrations
from gyre_telemetry.schema_reference import read_catalogue
from gyre_telemetry.service import TableRow
from gyre_telemetry.translation import TRANSLATIONS, Origin, dead_letter, origin_of

from tests.builders import EXAMPLES
from tests.fakes.bus import StoredRecord

WITHOUT_A_COLUMN = {
    "documents": {
        "content_ref",
        "chunks",
        "chunks_ref",
        "chunks_digest",
        "rebuild",
        "screening",
        "findings",
    },
    "interactions": {"query", "filtered", "example_documents"},
    "retrieved_chunks": {"acl"},
    "training_runs": {"resumed", "candidate", "against", "hold"},
    "dead_letters": {"digest", "timestamp", "first", "letter"},
}
"""Fields that analysts do not need, or that stand elsewhere in other words."""

RENAMED = {
    "documents": {
        *("accepted_at", "chunked_at", "searchable_at", "rejected_at", "quarantined_at"),
        *("index", "code"),
    },
    "quarantine_decisions": {"decided_at"},
    "interactions": {"completed_at", "tokens", "retrieved"},
    "judgements": {"judged_at", "scores"},
    "feedback": {"received_at"},
    "releases": {"changed_at"},
    "sources": {"changed_at"},
    "training_runs": {"outcome", "verdict"},
    "dead_letters": {"parked_at", "group", "size"},
}
"""Fields that fill columns of another name, or rows of their own."""


def rows() -> Iterable[TableRow]:
    """Of the example of every topic, and of a dead letter."""
    raw = StoredRecord("feedback.received.v1.dlq", 0, 7, 0, None, b"{}", ())
    origin: Origin = origin_of(raw)
    for topic, translate in TRANSLATIONS:
        yield from translate(EXAMPLES[topic.name], origin)
    yield from dead_letter(raw, origin)


def filled() -> dict[str, set[str]]:
    """What rows hold, by table."""
    names: dict[str, set[str]] = defaultdict(set)
    for row in rows():
        names[row.table] |= set(row.values)
    return names


def columns() -> dict[str, set[str]]:
    """What the schema's tables have."""
    names: dict[str, set[str]] = defaultdict(set)
    for column in read_catalogue(read_migrations(default_folder()))[1]:
        names[column["table"]].add(column["name"])
    return names


def test_every_column_is_filled_and_every_field_has_a_column_or_a_reason() -> None:
    existing = columns()
    for table, names in filled().items():
        assert existing[table] - names == set(), f"nothing fills these columns of {table}"
        columns_elsewhere = WITHOUT_A_COLUMN.get(table, set()) | RENAMED.get(table, set())
        assert names - existing[table] - columns_elsewhere == set(), (
            f"these fields have no column in {table}: add them by a migration, or name them here"
        )
