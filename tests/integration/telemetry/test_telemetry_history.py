"""What people read, on the real engine: whole stories, pages, spans and views of one tenant."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from uuid import UUID, uuid4

import pytest
from google.protobuf.json_format import ParseDict
from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre_common.context import RequestContext
from gyre_telemetry import translation
from gyre_telemetry.clickhouse import ClickHouseSink, open_clickhouse
from gyre_telemetry.clickhouse_history import ClickHouseHistory
from gyre_telemetry.history_reader import VIEWS, HistoryReader
from gyre_telemetry.migrations import default_folder, migrate, read_migrations
from gyre_telemetry.service import Telemetry
from gyre_telemetry.translation import Origin

from tests.builders import (
    MORNING,
    a_document_indexed,
    a_feedback,
    a_release,
    a_retrieved_chunk,
    a_training_end,
    a_verdict,
    an_interaction,
)

pytestmark = pytest.mark.integration


def origin(minutes: int = 0) -> Origin:
    return Origin(uuid4(), MORNING + timedelta(minutes=minutes), "4bf92f35" * 4, offset=7)


@pytest.fixture
async def history(
    clickhouse_url: str, clickhouse_login: tuple[str, str]
) -> AsyncIterator[ClickHouseHistory]:
    user, password = clickhouse_login
    async with open_clickhouse(clickhouse_url, user=user, password=password) as client:
        await migrate(client, read_migrations(default_folder()))
        yield ClickHouseHistory(client)


@pytest.fixture
async def telemetry(
    clickhouse_url: str, clickhouse_login: tuple[str, str], history: ClickHouseHistory
) -> AsyncIterator[Telemetry]:
    user, password = clickhouse_login
    async with open_clickhouse(clickhouse_url, user=user, password=password) as client:
        yield Telemetry(await ClickHouseSink.open(client))


@pytest.fixture
def tenant() -> str:
    return f"history-{uuid4().hex[:8]}"


async def an_answer(telemetry: Telemetry, tenant: str, minutes: int = 0) -> UUID:
    event = an_interaction(
        tenant=tenant,
        interaction_id=uuid4(),
        completed_at=MORNING + timedelta(minutes=minutes),
    )
    await telemetry.record(translation.interaction_completed(event, origin(minutes)))
    return event.interaction_id


async def test_the_whole_story_of_an_answer_is_one_message(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    answer_id = await an_answer(telemetry, tenant)
    about = {"tenant": tenant, "interaction_id": answer_id}
    scores = ({"metric": "groundedness", "value": 0.5}, {"metric": "tone", "value": None})
    await telemetry.record(
        translation.interaction_judged(a_verdict(**about, scores=scores), origin())
    )
    await telemetry.record(translation.feedback_received(a_feedback(**about), origin()))
    row = await history.interaction(RequestContext(tenant=tenant), answer_id, actor="")
    assert row is not None
    message = ParseDict(dict(row), pb.Interaction())
    event = an_interaction(tenant=tenant)
    assert (message.question, message.outcome) == (event.question, event.outcome)
    assert [one.rank for one in message.retrieved] == [one.rank for one in event.retrieved]
    assert dict(message.versions) == dict(event.versions)
    assert len(message.citations) == len(event.citations)
    assert [one.HasField("value") for one in message.verdicts] == [True, False]
    assert message.feedback[0].received_at.ToDatetime(UTC) == a_feedback().received_at
    assert await history.interaction(RequestContext(tenant="other"), answer_id, actor="") is None


async def test_an_answer_is_there_for_its_actor_and_for_groups_that_meet_all_its_documents(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    acls = (("staff", "board"), ("tea",), (), None)
    event = an_interaction(
        tenant=tenant,
        interaction_id=uuid4(),
        actor="ann",
        retrieved=[a_retrieved_chunk(rank=n, acl=acl) for n, acl in enumerate(acls, start=1)],
    )
    await telemetry.record(translation.interaction_completed(event, origin()))
    for groups, actor, readable in (
        (("staff", "tea"), "", True),
        (("tea", "board", "it's"), "bob", True),
        ((), "ann", True),
        (("staff",), "bob", False),
        ((), "", False),
    ):
        caller = RequestContext(tenant=tenant, acl=groups)
        story = await history.interaction(caller, event.interaction_id, actor=actor)
        page = await HistoryReader(history).interactions(
            caller, pb.ListInteractionsRequest(actor=actor)
        )
        assert (story is not None, len(page.interactions)) == (readable, int(readable)), (
            groups,
            actor,
        )
        assert story is None or story["actor"] == "ann"


async def test_pages_spans_and_beginnings_find_each_interaction_once(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    ids = [await an_answer(telemetry, tenant, minutes) for minutes in (0, 0, 1, 1, 2)]
    await an_answer(telemetry, f"{tenant}-other")
    reading, caller = HistoryReader(history), RequestContext(tenant=tenant)
    listed_ids: list[object] = []
    token = ""
    for _ in range(3):
        request = pb.ListInteractionsRequest(page_size=2, page_token=token)
        page = await reading.interactions(caller, request)
        listed_ids += [one.interaction_id for one in page.interactions]
        token = page.next_page_token
    assert token == ""
    assert sorted(map(str, ids)) == sorted(map(str, listed_ids))
    assert listed_ids[0] == str(ids[-1])

    since, until = MORNING + timedelta(minutes=1), MORNING + timedelta(minutes=2)
    middle = pb.ListInteractionsRequest(since=since, until=until)
    page = await reading.interactions(caller, middle)
    assert {one.interaction_id for one in page.interactions} == {str(ids[2]), str(ids[3])}
    prefix = str(ids[0])[:12]
    page = await reading.interactions(caller, pb.ListInteractionsRequest(id_prefix=prefix))
    assert [one.interaction_id for one in page.interactions] == [str(ids[0])]


async def test_every_view_reads_by_tenant_and_page(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    await an_answer(telemetry, tenant)
    await telemetry.record(
        translation.document_indexed(a_document_indexed(tenant=tenant), origin())
    )
    await telemetry.record(translation.training_finished(a_training_end(tenant=tenant), origin()))
    shipped = a_release().artifacts[0].model_dump()
    change = a_release(
        tenant=tenant,
        role="query-encoder",
        live="votes-1",
        artifacts=[{**shipped, "version": "votes-1"}],
    )
    await telemetry.record(translation.release_changed(change, origin()))
    reading = HistoryReader(history)
    for view in VIEWS:
        caller = RequestContext(tenant=tenant)
        request = pb.SeriesRequest(view=view, page_size=1)
        page = await reading.series(caller, request)
        assert page.rows, view
        assert set(page.rows[0].fields) == {column.name for column in page.columns}
        assert all(column.type and column.description for column in page.columns)
        if page.next_page_token:
            token = page.next_page_token
            more = pb.SeriesRequest(view=view, page_size=1, page_token=token)
            assert list((await reading.series(caller, more)).rows) != list(page.rows)
        other = RequestContext(tenant=f"{tenant}-other")
        assert not (await reading.series(other, request)).rows, view
        late = pb.SeriesRequest(view=view, since=MORNING + timedelta(days=9_000))
        assert not (await reading.series(caller, late)).rows, view


async def test_a_release_for_everybody_is_in_everybodys_loop(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    await telemetry.record(translation.training_finished(a_training_end(tenant="*"), origin()))
    shipped = a_release().artifacts[0].model_dump()
    change = a_release(
        tenant="*",
        role="query-encoder",
        live="votes-1",
        artifacts=[{**shipped, "version": "votes-1"}],
    )
    await telemetry.record(translation.release_changed(change, origin()))
    page = await HistoryReader(history).series(
        RequestContext(tenant=tenant), pb.SeriesRequest(view="loop")
    )
    assert {row["tenant"] for row in page.rows} == {"*"}
