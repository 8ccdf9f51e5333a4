"""Reads what the tables of ClickHouse hold of a history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import clickhouse_connect
from gyre_common.events.event import derived_id

from tests.faults.harness.checker import Entry
from tests.faults.harness.entries import (
    DOCUMENTS,
    FEEDBACK,
    INTERACTIONS,
    JUDGEMENTS,
    RELEASES,
    Key,
    entry_of,
    vote_key,
)
from tests.faults.harness.history import Act, Kind
from tests.faults.harness.planned_acts import TENANTS, shown_vote


@dataclass
class Tables:
    log: list[Entry] = field(default_factory=list)
    rows: list[Entry] = field(default_factory=list)
    words: dict[Key, str] = field(default_factory=dict)


async def read_tables(port: int, history: Sequence[Act]) -> Tables:
    """As `TENANTS` have them, with FINAL."""
    ranks = {act.id: number for number, act in enumerate(history)}
    submissions = {_submission_id(act): act.id for act in history}
    client = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=port, username="analyst"
    )
    tables = Tables()
    tenants = {"tenants": list(TENANTS)}

    async def rows(query: str) -> Iterable[dict[str, Any]]:
        result = await client.query(f"{query} ORDER BY ALL", parameters=tenants)
        return list(result.named_results())

    only = "FINAL WHERE tenant IN {tenants:Array(String)}"
    try:
        document = "tenant, document_id, submission_id, metadata['act'] AS act"
        for row in await rows(
            f"SELECT revision, {document} FROM gyre.documents {only} AND stage = 'accepted'"
        ):
            # What is deleted has no metadata.
            act = row["act"] or submissions.get(row["submission_id"], "")
            entry = Entry(
                store=DOCUMENTS,
                kind=Kind.SUBMIT,
                tenant=row["tenant"],
                key=row["document_id"],
                act=act or f"submission {row['submission_id']}",
                id=str(row["submission_id"]),
                order=ranks.get(act, -1),
            )
            tables.log.append(entry)
            tables.rows.append(entry)
        for row in await rows(
            f"SELECT tenant, interaction_id, actor FROM gyre.interactions {only}"
        ):
            tables.rows.append(_of_answer(INTERACTIONS, row, row["actor"]))
        actors = {row.id: row.act for row in tables.rows if row.store == INTERACTIONS}
        for row in await rows(
            f"SELECT DISTINCT tenant, interaction_id FROM gyre.judgements {only}"
        ):
            act = actors.get(str(row["interaction_id"]), "")
            tables.rows.append(_of_answer(JUDGEMENTS, row, act))
        feedback = "tenant, interaction_id, feedback_id, kind, value, target, comment, actor"
        for row in await rows(f"SELECT {feedback} FROM gyre.feedback {only}"):
            value = {name: str(each) for name, each in row.items()}
            entry = entry_of(FEEDBACK, value["feedback_id"], value, value["comment"], ranks)
            tables.rows.append(entry)
        current = "FROM gyre.current_feedback WHERE tenant IN {tenants:Array(String)}"
        for row in await rows(f"SELECT {feedback} {current}"):
            key = row["tenant"], vote_key(row)
            tables.words[key] = shown_vote(row["value"], row["comment"])
        for row in await rows(
            f"SELECT tenant, role, generation, live, reason FROM gyre.releases {only}"
        ):
            if row["reason"] in ranks:
                tables.rows.append(
                    entry_of(RELEASES, str(row["generation"]), row, row["reason"], ranks)
                )
    finally:
        await client.close()
    return tables


def _submission_id(act: Act) -> UUID:
    """As the ingestor makes it of the idempotency key: a retry is the same submission."""
    document = uuid5(NAMESPACE_URL, f"gyre:{act.tenant}/{act.key}")
    return derived_id(document, f"submission/{act.id}")


def _of_answer(store: str, row: Mapping[str, Any], act: str) -> Entry:
    return Entry(
        store=store,
        kind=Kind.ANSWER,
        tenant=row["tenant"],
        key=act,
        act=act or f"interaction {row['interaction_id']}",
        id=str(row["interaction_id"]),
    )
