"""Rows rewritten, as far as that needs no engine."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from gyre_common.redaction.choices import choices
from gyre_telemetry.clickhouse_redaction import _SOURCES, ClickHouseRedaction, redacted_as

from tests.builders import MORNING


@pytest.fixture(autouse=True)
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GYRE_PERSONAL_DATA", "mask")
    choices.cache_clear()
    yield
    choices.cache_clear()


class EmptyTables:
    """A client of tables without rows; `seen` is what was done, in order."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.times: list[datetime] = []

    async def insert(self, table: str, rows: list[list[Any]], **options: Any) -> None:
        self.seen.append(table)
        self.times.append(rows[0][options["column_names"].index("time")])

    async def query(self, select: str, *, parameters: Mapping[str, Any]) -> Any:
        is_key = "sorting_key" in select.partition("FROM")[0]
        if not is_key:
            self.seen.append(select.partition(" FROM ")[2].split()[0])
        rows = [{"sorting_key": "tenant"}] if is_key else []
        return SimpleNamespace(named_results=lambda: rows)


async def test_a_redaction_is_noted_when_it_begins_and_when_it_ends() -> None:
    client: Any = EmptyTables()
    types: dict[str, dict[str, str]] = {table: {} for table in _SOURCES}
    await ClickHouseRedaction(client, types).redact("acme", MORNING)
    assert client.seen == ["redactions", *(f"gyre.{table}" for table in _SOURCES), "redactions"]
    assert client.times == sorted(client.times)


def test_what_finds_names_is_part_of_how_rows_were_redacted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = redacted_as("acme")
    monkeypatch.setattr(choices(), "pipeline", "en_core_web_sm")
    assert redacted_as("acme") == f"{before}; en_core_web_sm"
