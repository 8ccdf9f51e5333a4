"""The schema's reference says what the engine says."""

from gyre_telemetry.clickhouse_rebuild import NO_FACTS
from gyre_telemetry.migrations import default_folder, read_migrations
from gyre_telemetry.schema_reference import read_catalogue, render

TABLES = (
    "documents",
    "interactions",
    "retrieved_chunks",
    "judgements",
    "feedback",
    "releases",
    "training_runs",
    "dead_letters",
)
VIEWS = (
    "answers",
    "current_feedback",
    "daily_quality",
    "version_quality",
    "daily_version_quality",
    "daily_latency",
    "version_latency",
    "cost",
    "freshness",
    "loop",
    "waiting_votes",
    "release_changes",
)


def test_every_table_and_view_of_the_contract_is_documented_column_by_column() -> None:
    tables, columns = read_catalogue(read_migrations(default_folder()))
    assert {table["name"] for table in tables} >= {*TABLES, *VIEWS}
    assert all(table["comment"] for table in tables)
    assert not [f"{c['table']}.{c['name']}" for c in columns if not c["comment"]]
    page = render(tables, columns)
    for table in tables:
        assert f"\n### {table['name']}\n" in page
    for column in columns:
        assert f"| `{column['name']}` | `{column['type']}` | {column['comment']} |" in page


def test_every_table_says_whose_row_it_is_and_what_event_made_it() -> None:
    _, columns = read_catalogue(read_migrations(default_folder()))
    for table in {column["table"] for column in columns} - {*VIEWS, *NO_FACTS}:
        names = {column["name"] for column in columns if column["table"] == table}
        assert {"tenant", "event_id", "time", "trace_id"} <= names, table
