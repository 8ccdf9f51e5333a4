"""Rows of before a tenant's choice are rewritten, and nothing of them is left."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import InteractionCompleted, Turn
from gyre_telemetry import translation
from gyre_telemetry.clickhouse import ClickHouseSink, column_types, open_clickhouse
from gyre_telemetry.clickhouse_redaction import ClickHouseRedaction
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.service import Telemetry
from gyre_telemetry.translation import Origin

from tests.builders import (
    MORNING,
    a_document_accepted,
    a_feedback,
    a_retrieved_chunk,
    a_verdict,
    an_interaction,
)

pytestmark = pytest.mark.integration
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
PASSAGE = "Write to ann.lee@example.com. Tea is hot."
ANSWER = "Ask bo@example.com. Tea is hot."


@pytest.fixture
async def client(
    clickhouse_url: str, clickhouse_login: tuple[str, str]
) -> AsyncIterator[AsyncClient]:
    user, password = clickhouse_login
    async with open_clickhouse(clickhouse_url, user=user, password=password) as client:
        await migrate(client, read_migrations(default_folder()))
        yield client


@pytest.fixture
async def redaction(client: AsyncClient) -> ClickHouseRedaction:
    return ClickHouseRedaction(client, await column_types(client))


@pytest.fixture
def tenant() -> str:
    return f"t{uuid4().hex[:12]}"


def a_personal_interaction(tenant: str) -> InteractionCompleted:
    [citation] = an_interaction().citations
    places = {
        "start": ANSWER.index("Tea"),
        "end": len(ANSWER),
        "chunk_start": PASSAGE.index("Tea"),
        "chunk_end": len(PASSAGE),
    }
    return an_interaction(
        tenant=tenant,
        interaction_id=uuid4(),
        question="I am q@example.com",
        history=(Turn(role="user", content="I am h@example.com"),),
        answer=ANSWER,
        citations=(citation.model_copy(update={"document_id": "d@example.com", **places}),),
        retrieved=(a_retrieved_chunk(text=PASSAGE, document_id="d@example.com"),),
        prompt=f"{PASSAGE} I am q@example.com",
    )


async def record(client: AsyncClient, tenant: str) -> UUID:
    event = a_personal_interaction(tenant)
    telemetry = Telemetry(await ClickHouseSink.open(client))
    origin = Origin(uuid4(), MORNING, "", offset=7)
    of_it = {"tenant": tenant, "interaction_id": event.interaction_id}
    accepted = a_document_accepted(
        tenant=tenant,
        title="Mail of ann@example.com",
        document_id="d@example.com",
        source_uri="mailto:ann@example.com",
        metadata={"author": "ann@example.com", "document_id": "b@example.com"},
    )
    await telemetry.record(
        [
            *translation.interaction_completed(event, origin),
            *translation.interaction_judged(a_verdict(**of_it), origin),
            *translation.feedback_received(a_feedback(**of_it, comment="of c@example.com"), origin),
            *translation.document_accepted(accepted, origin),
        ]
    )
    return event.interaction_id


async def rows(client: AsyncClient, table: str, tenant: str) -> list[dict[str, Any]]:
    """Without FINAL: all that is there."""
    result = await client.query(
        f"SELECT * FROM gyre.{table} WHERE tenant = {{tenant:String}}",
        parameters={"tenant": tenant},
    )
    return [dict(row) for row in result.named_results()]


async def test_texts_of_every_table_are_rewritten_and_ids_are_not(
    client: AsyncClient, redaction: ClickHouseRedaction, tenant: str, masking: None
) -> None:
    await record(client, tenant)
    tables = ("interactions", "retrieved_chunks", "judgements", "feedback", "documents")
    before = {table: await rows(client, table, tenant) for table in tables}

    done = await redaction.redact(tenant, ALWAYS)

    assert done == {
        "interactions": 1,
        "retrieved_chunks": 1,
        "judgements": 0,
        "feedback": 1,
        "documents": 1,
        "quarantine_decisions": 0,
        "training_runs": 0,
        "releases": 0,
        "sources": 0,
    }
    after = {table: await rows(client, table, tenant) for table in tables}
    assert repr(after).replace("d@example.com", "").count("@example.com") == 0
    assert {name: len(of_table) for name, of_table in after.items()} == {
        name: len(of_table) for name, of_table in before.items()
    }
    [interaction], [chunk] = after["interactions"], after["retrieved_chunks"]
    [citation] = interaction["citations"]
    assert interaction["answer"][citation["start"] : citation["end"]] == "Tea is hot."
    assert chunk["text"][citation["chunk_start"] : citation["chunk_end"]] == "Tea is hot."
    assert citation["document_id"] == chunk["document_id"] == "d@example.com"
    [document] = after["documents"]
    assert document["document_id"] == "d@example.com"
    assert document["metadata"] == {"author": "[EMAIL_ADDRESS]", "document_id": "[EMAIL_ADDRESS]"}
    unchanged = before["interactions"][0].keys() - {
        *("question", "history", "answer", "citations", "prompt")
    }
    assert [interaction[name] for name in unchanged] == [
        before["interactions"][0][name] for name in unchanged
    ]


async def test_rewriting_again_changes_nothing(
    client: AsyncClient, redaction: ClickHouseRedaction, tenant: str, masking: None
) -> None:
    await record(client, tenant)
    await redaction.redact(tenant, ALWAYS)
    assert sum((await redaction.redact(tenant, ALWAYS)).values()) == 0


async def test_what_is_older_and_other_tenants_rows_stay(
    client: AsyncClient, redaction: ClickHouseRedaction, tenant: str, masking: None
) -> None:
    other = f"{tenant}-other"
    for each in (tenant, other):
        await record(client, each)
    assert sum((await redaction.redact(tenant, MORNING + timedelta(days=1))).values()) == 0
    await redaction.redact(other, ALWAYS)
    [interaction] = await rows(client, "interactions", tenant)
    assert interaction["question"] == "I am q@example.com"


async def test_a_tenant_that_keeps_personal_data_is_refused(
    redaction: ClickHouseRedaction, tenant: str
) -> None:
    with pytest.raises(FailedPrecondition, match="set GYRE_PERSONAL_DATA"):
        await redaction.redact(tenant, ALWAYS)
