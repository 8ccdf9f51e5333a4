"""What people read, on the real engine: whole stories, pages, spans and views of one tenant."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
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
    ends = pb.ListInteractionsRequest(
        since=Timestamp(seconds=-62_135_596_800), until=Timestamp(seconds=253_402_300_799)
    )
    assert len((await reading.interactions(caller, ends)).interactions) == len(ids)
    middle = pb.ListInteractionsRequest(since=since, until=until)
    page = await reading.interactions(caller, middle)
    assert {one.interaction_id for one in page.interactions} == {str(ids[2]), str(ids[3])}
    prefix = str(ids[0])[:12]
    page = await reading.interactions(caller, pb.ListInteractionsRequest(id_prefix=prefix))
    assert [one.interaction_id for one in page.interactions] == [str(ids[0])]


async def ids_of(
    history: ClickHouseHistory,
    caller: RequestContext,
    **filters: Any,
) -> list[str]:
    """All that a list has, read two at a time."""
    request, ids = pb.ListInteractionsRequest(page_size=2, **filters), []
    while True:
        page = await HistoryReader(history).interactions(caller, request)
        ids += [one.interaction_id for one in page.interactions]
        if not page.next_page_token:
            return ids
        request.page_token = page.next_page_token


async def test_a_list_is_narrowed_by_what_was_asked_answered_served_and_voted(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    caller = RequestContext(tenant=tenant)
    facts: dict[str, dict[str, Any]] = {
        "green": {"question": "How hot for GRÜNER tea?", "answer": "80 °C, 100% of the time."},
        "black": {"question": "And black\ttea_2?", "answer": "95 °C", "conversation_id": "c:2/x"},
        "cold": {"question": "It's cold?", "answer": "", "outcome": "abstained"},
        "old": {"question": "Tea?", "answer": "Yes.", "versions": {"reranker": "r-1"}},
    }
    ids: dict[str, UUID] = {}
    for minutes, (name, about) in enumerate(facts.items()):
        event = an_interaction(
            tenant=tenant,
            interaction_id=uuid4(),
            completed_at=MORNING + timedelta(minutes=minutes),
            **{"conversation_id": "c:1", "versions": {"reranker": "r-2", "judge": "j-1"}, **about},
        )
        ids[name] = event.interaction_id
        await telemetry.record(translation.interaction_completed(event, origin(minutes)))
    feedback = (
        ("green", "thumb", "down", "ann", 1),
        ("green", "thumb", "up", "ann", 2),
        ("black", "rating", "1", "ann", 1),
        ("black", "thumb", "up", "bob", 1),
        ("cold", "rating", "3", "ann", 1),
        ("old", "comment", "", "ann", 1),
    )
    for name, kind, value, actor, second in feedback:
        word = a_feedback(
            tenant=tenant,
            interaction_id=ids[name],
            feedback_id=uuid4(),
            kind=kind,
            value=value,
            comment="hm",
            actor=actor,
            received_at=MORNING + timedelta(seconds=second),
        )
        await telemetry.record(translation.feedback_received(word, origin()))
    for filters, names in (
        ({}, ["old", "cold", "black", "green"]),
        ({"conversation_id": "c:1"}, ["old", "cold", "green"]),
        ({"conversation_id": "c:2/x"}, ["black"]),
        ({"conversation_id": "c:"}, []),
        ({"outcome": "abstained"}, ["cold"]),
        ({"version": "r-2"}, ["cold", "black", "green"]),
        ({"version": "j-1", "outcome": "answered"}, ["black", "green"]),
        ({"version": "r-3"}, []),
        ({"vote": "up"}, ["black", "green"]),
        ({"vote": "down"}, ["black"]),
        ({"vote": "none"}, ["old"]),
        ({"search": "TEA"}, ["old", "black", "green"]),
        ({"search": " grüner  80"}, ["green"]),
        ({"search": "grüner 95"}, []),
        ({"search": "100%"}, ["green"]),
        ({"search": "%"}, ["green"]),
        ({"search": "tea_2"}, ["black"]),
        ({"search": "t.a"}, []),
        ({"search": "it's"}, ["cold"]),
        ({"search": "\\' OR 1"}, []),
        ({"search": "  "}, ["old", "cold", "black", "green"]),
        ({"search": "a " * 100}, ["old", "black", "green"]),
        ({"conversation_id": "c:1", "search": "tea", "vote": "none"}, ["old"]),
    ):
        assert await ids_of(history, caller, **filters) == [str(ids[one]) for one in names], filters
        assert await ids_of(history, RequestContext(tenant="other"), **filters) == []
    span = {"since": MORNING + timedelta(minutes=1), "until": MORNING + timedelta(minutes=3)}
    assert await ids_of(history, caller, search="tea", **span) == [str(ids["black"])]


async def test_a_conversation_is_rebuilt_for_its_actor_and_for_nobody_who_may_not_read_it(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    turns = []
    for minutes, actor in enumerate(("ann", "ann", "bob")):
        event = an_interaction(
            tenant=tenant,
            interaction_id=uuid4(),
            conversation_id="c-1",
            actor=actor,
            completed_at=MORNING + timedelta(minutes=minutes),
            retrieved=[a_retrieved_chunk(acl=("staff",))],
        )
        turns.append(str(event.interaction_id))
        await telemetry.record(translation.interaction_completed(event, origin(minutes)))
    many = tuple(f"a-group-of-a-large-organisation-{n}" for n in range(200))
    for groups, actor, readable in (
        ((), "ann", [turns[1], turns[0]]),
        (("staff",), "", turns[::-1]),
        ((*many, "staff"), "", turns[::-1]),
        (many, "bob", [turns[2]]),
        (("board",), "eve", []),
    ):
        caller = RequestContext(tenant=tenant, acl=groups)
        for filters in ({}, {"search": "%"}, {"vote": "none"}, {"outcome": "answered"}):
            filters = {"conversation_id": "c-1", "actor": actor, **filters}
            expected = [] if "search" in filters else readable
            assert await ids_of(history, caller, **filters) == expected, (groups, filters)


async def test_a_row_of_the_list_says_who_asked_and_what_it_took(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    event = an_interaction(
        tenant=tenant, interaction_id=uuid4(), actor="ann", arms={"judge": "live"}
    )
    await telemetry.record(translation.interaction_completed(event, origin()))
    page = await HistoryReader(history).interactions(
        RequestContext(tenant=tenant), pb.ListInteractionsRequest()
    )
    [row] = page.interactions
    assert (row.actor, dict(row.arms), row.error) == ("ann", {"judge": "live"}, "")
    assert (row.prompt_tokens, row.completion_tokens) == (
        event.tokens.prompt,
        event.tokens.completion,
    )
    assert row.cost_usd == event.cost_usd


async def test_every_view_reads_by_tenant_and_page(
    telemetry: Telemetry, history: ClickHouseHistory, tenant: str
) -> None:
    answer = await an_answer(telemetry, tenant)
    vote = a_feedback(tenant=tenant, interaction_id=answer)
    await telemetry.record(translation.feedback_received(vote, origin()))
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
        rows_of_other = (await reading.series(other, request)).rows
        assert all(row["tenant"] == "*" for row in rows_of_other), view
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
