"""What people read over gRPC: by tenant, by page, within the deadline, and clear when it cannot."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre.telemetry.v1.telemetry_pb2_grpc import DeadLetterServiceStub, TelemetryServiceStub
from gyre_common.bus.dead_letters import Cause, headers_with
from gyre_common.bus.held_records import HeldRecord
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from gyre_common.rpc import call, channel, serve
from gyre_common.rpc.server import MAX_MESSAGE_BYTES
from gyre_telemetry.clickhouse_history import ClickHouseHistory
from gyre_telemetry.clickhouse_redaction import redacted_as
from gyre_telemetry.dead_letters import DeadLetterDesk
from gyre_telemetry.history_reader import (
    INTERACTIONS,
    LISTS,
    HistoryReader,
    JsonRow,
    ListRequest,
    Position,
    list_name,
)
from gyre_telemetry.kafka_topics import translator
from gyre_telemetry.rebuild import Rebuild
from gyre_telemetry.rpc import DeadLetterRpc, TelemetryRpc

from tests.fakes.bus import StoredRecord
from tests.fakes.dead_letters import MemoryDeadLetters
from tests.fakes.telemetry_tables import MemoryTables, MemoryTopics

ID = UUID("0199a1b2-0000-7000-8000-000000000001")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class FakeHistory:
    """Rows in memory, oldest first; an interaction lands at the third look."""

    def __init__(self) -> None:
        self.landed_after = 3
        self.looks = 0
        self.away = False
        self.lists: dict[tuple[str, str], list[JsonRow]] = {}
        self.requests: list[ListRequest] = []
        self.readers: list[tuple[tuple[str, ...], str]] = []

    async def interaction(
        self, caller: RequestContext, interaction_id: UUID, *, actor: str
    ) -> JsonRow | None:
        self._require()
        self.readers.append((caller.acl, actor))
        self.looks += 1
        if caller.tenant != "acme" or interaction_id != ID or self.looks < self.landed_after:
            return None
        return {
            "tenant": caller.tenant,
            "interaction_id": str(ID),
            "started_at": "2026-01-05T12:00:00.000Z",
            "question": "How hot?",
            "versions": {"generator": "extractive-1"},
            "retrieved": [{"rank": 1, "chunk_id": "c1", "scores": {"bm25": 2.5}}],
            "verdicts": [{"metric": "tone", "value": None}],
            "feedback": [],
        }

    async def columns(self, view: str) -> Sequence[JsonRow]:
        self._require()
        return [{"name": "day", "type": "Date", "description": "In UTC"}]

    async def page(
        self, caller: RequestContext, request: ListRequest, *, after: Position, limit: int
    ) -> Sequence[tuple[Position, JsonRow]]:
        self._require()
        self.requests.append(request)
        name, prefix, keys = list_name(request), "", LISTS[list_name(request)].keys
        if isinstance(request, pb.ListInteractionsRequest):
            self.readers.append((caller.acl, request.actor))
            prefix, keys = request.id_prefix, ("completed_at", "interaction_id")
        rows = [
            row
            for row in self.lists.get((caller.tenant, name), [])
            if str(row.get("interaction_id", "")).startswith(prefix)
        ]
        placed = sorted(
            ((tuple(str(row[key]) for key in keys), row) for row in rows),
            key=lambda placed: placed[0],
            reverse=True,
        )
        return [(place, row) for place, row in placed if not after or place < after][:limit]

    def _require(self) -> None:
        if self.away:
            raise Unavailable("ClickHouse does not answer: connection refused")


class FakeRedaction:
    """Says what it was asked for."""

    async def redact(self, tenant: str, since: datetime) -> dict[str, int]:
        return {tenant: since.year}


def some_letters() -> MemoryDeadLetters:
    """Two of tea: one of ours with a large value, then one that another program put there."""
    log = MemoryDeadLetters()
    cause = Cause("poison", "Poison", "not JSON", "tea.v1", 3, 7, 1, "ingestor", NOON)
    headers, value = tuple(headers_with((), cause)), b"x" * 1_000_000
    log.add(StoredRecord("tea.v1.dlq", 0, 0, 0, None, value, ()))
    log.add(StoredRecord("tea.v1.dlq", 0, 0, 0, b"\xff", value, headers))
    return log


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


async def skip_held(
    topic: str, partition: int, offset: int, *, actor: str, reason: str
) -> dict[HeldRecord, bool]:
    if offset != 7:
        raise FailedPrecondition(f"held is {topic} {partition} 7, not offset {offset}")
    held_record = HeldRecord(
        group="ingestor",
        topic=topic,
        partition=partition,
        offset=offset,
        cause=f"damaged; {actor}: {reason}",
        since="",
        dlq_offset=0,
        digest="",
        size=0,
    )
    return {held_record: True}


async def skip_over_rpc(address: str, **changes: Any) -> Any:
    defaults = {
        "topic": "tea.v1",
        "partition": 3,
        "offset": 7,
        "actor": "ann",
        "reason": "a bad disk",
    }
    request = pb.SkipHeldRecordRequest(**{**defaults, **changes})
    async with channel(address) as opened:
        return await call(DeadLetterServiceStub(opened).Skip, request)


async def test_a_held_record_is_skipped_with_who_and_why(address: str) -> None:
    (skipped,) = (await skip_over_rpc(address)).skipped
    assert (skipped.group, skipped.goes_on) == ("ingestor", True)
    assert skipped.cause == "damaged; ann: a bad disk"


async def test_another_offset_or_nobody_or_no_reason_skips_nothing(address: str) -> None:
    with pytest.raises(FailedPrecondition, match=r"held is tea\.v1 3 7, not offset 8"):
        await skip_over_rpc(address, offset=8)
    for missing in ("topic", "actor", "reason"):
        with pytest.raises(InvalidInput, match=missing):
            await skip_over_rpc(address, **{missing: " "})


@pytest.fixture
async def address(history: FakeHistory) -> AsyncIterator[str]:
    reading = HistoryReader(history, landing_seconds=1.0)
    desk = DeadLetterDesk(some_letters().opened, skip_held, compacted=frozenset())
    redaction: Any = FakeRedaction()
    rebuild = Rebuild(MemoryTables(), MemoryTopics(), translator(), redacted_as)
    rpc = [TelemetryRpc(reading, redaction, rebuild), DeadLetterRpc(desk)]
    async with serve(rpc) as server:
        yield f"127.0.0.1:{server.port}"


async def ask(address: str, method: str, request: Message, **about: Any) -> Any:
    timeout = about.pop("timeout", None)
    async with channel(address, **{"tenant": "acme", **about}) as opened:
        return await call(getattr(TelemetryServiceStub(opened), method), request, timeout=timeout)


async def test_a_rebuild_is_started_looked_at_and_given_up(address: str) -> None:
    none = await ask(address, "GetRebuild", pb.GetRebuildRequest())
    assert (none.state, none.runs) == (pb.REBUILD_STATE_NONE, False)
    started = await ask(address, "StartRebuild", pb.StartRebuildRequest(keep_live=True))
    now = await ask(address, "GetRebuild", pb.GetRebuildRequest())
    assert (now.state, now.runs) == (pb.REBUILD_STATE_COPYING, True)
    assert now.rebuild_id == started.rebuild_id
    with pytest.raises(FailedPrecondition, match="rebuild of the tables is under way"):
        await ask(address, "Redact", pb.RedactRequest())
    await ask(address, "DropRebuild", pb.DropRebuildRequest())
    assert (await ask(address, "GetRebuild", pb.GetRebuildRequest())).state == (
        pb.REBUILD_STATE_DROPPED
    )


async def test_rows_of_the_callers_tenant_are_redacted(address: str) -> None:
    for request, year in ((pb.RedactRequest(), 1970), (pb.RedactRequest(since=NOON), NOON.year)):
        assert dict((await ask(address, "Redact", request)).rows) == {"acme": year}


async def interaction(address: str, interaction_id: object = ID, **about: Any) -> pb.Interaction:
    request = pb.GetInteractionRequest(interaction_id=str(interaction_id))
    reply: pb.GetInteractionResponse = await ask(address, "GetInteraction", request, **about)
    return reply.interaction


async def test_an_answer_that_is_on_its_way_is_waited_for(
    address: str, history: FakeHistory
) -> None:
    story = await interaction(address)
    assert history.looks == 3
    assert (story.question, story.retrieved[0].scores["bm25"]) == ("How hot?", 2.5)
    assert story.started_at.ToDatetime(UTC) == NOON
    assert not story.verdicts[0].HasField("value")


async def test_an_answer_that_never_lands_is_not_there(address: str, history: FakeHistory) -> None:
    with pytest.raises(NotFound, match=r"tenant acme .*check the id.*actor.*groups"):
        await interaction(address, uuid4())
    assert history.looks > 2


async def test_an_answer_of_another_tenant_is_not_there(address: str, history: FakeHistory) -> None:
    history.landed_after = 0
    assert (await interaction(address)).tenant == "acme"
    with pytest.raises(NotFound, match="tenant other has no answer"):
        await interaction(address, tenant="other")


async def test_the_store_is_told_who_reads(address: str, history: FakeHistory) -> None:
    history.landed_after = 0
    for method, request in (
        ("GetInteraction", pb.GetInteractionRequest(interaction_id=str(ID), actor="ann")),
        ("ListInteractions", pb.ListInteractionsRequest(actor="ann")),
    ):
        await ask(address, method, request, acl=("staff",))
    assert history.readers == [(("staff",), "ann")] * 2


async def test_the_callers_deadline_ends_the_waiting(address: str, history: FakeHistory) -> None:
    history.landed_after = 1_000
    with pytest.raises(DeadlineExceeded):
        await interaction(address, timeout=0.3)
    looks = history.looks
    assert looks <= 3
    await asyncio.sleep(0)
    assert history.looks == looks


async def test_an_id_that_is_none_is_refused_with_the_fix(address: str) -> None:
    with pytest.raises(InvalidInput, match="is not a UUID: give the interaction_id") as refused:
        await interaction(address, "x")
    assert refused.value.field == "interaction_id"


async def test_clickhouse_being_away_is_unavailable_with_the_reason(
    address: str, history: FakeHistory
) -> None:
    history.away = True
    for method, request in (
        ("GetInteraction", pb.GetInteractionRequest(interaction_id=str(ID))),
        ("ListInteractions", pb.ListInteractionsRequest()),
        ("Series", pb.SeriesRequest(view="cost")),
    ):
        with pytest.raises(Unavailable, match="ClickHouse does not answer: connection refused"):
            await ask(address, method, request)


async def test_an_engine_that_went_away_or_takes_too_long_is_named() -> None:
    class Broken:
        def __init__(self, error: Exception) -> None:
            self.error = error
            self.settings: dict[str, int] = {}

        async def query(self, query: str, *, settings: dict[str, int], **about: Any) -> None:
            self.settings = settings
            raise self.error

    for error, words in (
        (OperationalError("connection refused"), "ClickHouse does not answer: see whether it runs"),
        (DatabaseError("Code: 159. TIMEOUT"), "ClickHouse: Code: 159. TIMEOUT"),
    ):
        client = Broken(error)
        context = RequestContext(tenant="acme", deadline=time.monotonic() + 7)
        with use_context(context), pytest.raises(Unavailable, match=words):
            await ClickHouseHistory(client).interaction(context, ID, actor="")  # type: ignore[arg-type]
        assert client.settings == {"max_execution_time": 7}


def some_interactions(history: FakeHistory, count: int) -> None:
    history.lists["acme", INTERACTIONS] = [
        {"interaction_id": f"0199a1b2-{n:04}", "completed_at": f"2026-01-05T12:00:0{n % 3}Z"}
        for n in range(count)
    ]


async def test_pages_hold_each_interaction_once_the_newest_first(
    address: str, history: FakeHistory
) -> None:
    some_interactions(history, 7)
    listed: list[tuple[int, str]] = []
    token, pages = "", 0
    while True:
        request = pb.ListInteractionsRequest(page_size=3, page_token=token)
        reply: pb.ListInteractionsResponse = await ask(address, "ListInteractions", request)
        listed += [(one.completed_at.seconds, one.interaction_id) for one in reply.interactions]
        token, pages = reply.next_page_token, pages + 1
        if not token:
            break
    assert (len(listed), len(set(listed)), pages) == (7, 7, 3)
    assert listed == sorted(listed, reverse=True)
    none = await ask(address, "ListInteractions", pb.ListInteractionsRequest(), tenant="other")
    assert not none.interactions


async def test_a_beginning_of_an_id_and_a_span_narrow_the_list(
    address: str, history: FakeHistory
) -> None:
    some_interactions(history, 7)
    request = pb.ListInteractionsRequest(id_prefix="0199a1b2-0004", since=NOON)
    reply = await ask(address, "ListInteractions", request)
    assert [one.interaction_id for one in reply.interactions] == ["0199a1b2-0004"]
    assert [one.since.ToDatetime(UTC) for one in history.requests] == [NOON]


DEEP = base64.urlsafe_b64encode(b"[" * 100_000).decode()
NO_MOMENTS = (
    Timestamp(seconds=2**63 - 1),
    Timestamp(seconds=0, nanos=-1),
    Timestamp(seconds=-(2**63), nanos=999_999_999),
)


@pytest.mark.parametrize(
    ("method", "request_", "says"),
    [
        ("ListInteractions", pb.ListInteractionsRequest(page_size=1001), "page_size is 1001: ask"),
        ("ListInteractions", pb.ListInteractionsRequest(page_size=-1), "page_size is -1: ask for"),
        ("ListInteractions", pb.ListInteractionsRequest(page_token="x"), "page_token is not one"),
        ("ListInteractions", pb.ListInteractionsRequest(page_token="W10="), "page_token is not"),
        ("ListInteractions", pb.ListInteractionsRequest(page_token=DEEP), "page_token is not"),
        ("ListInteractions", pb.ListInteractionsRequest(since=NO_MOMENTS[0]), "since is no mom"),
        ("ListInteractions", pb.ListInteractionsRequest(until=NO_MOMENTS[1]), "until is no mom"),
        ("Series", pb.SeriesRequest(view="cost", since=NO_MOMENTS[2]), "since is no moment"),
        ("ListInteractions", pb.ListInteractionsRequest(id_prefix="'%"), "id_prefix is no begin"),
        (
            "ListInteractions",
            pb.ListInteractionsRequest(outcome="fine"),
            "outcome 'fine' is unknown",
        ),
        ("ListInteractions", pb.ListInteractionsRequest(vote="5"), "vote '5' is unknown: say up,"),
        ("ListInteractions", pb.ListInteractionsRequest(search="a\0"), "search has control char"),
        ("ListInteractions", pb.ListInteractionsRequest(search="a" * 201), "search has 201 charac"),
        ("ListInteractions", pb.ListInteractionsRequest(version="\n"), "version has control"),
        ("ListInteractions", pb.ListInteractionsRequest(conversation_id="c" * 129), "at most 128"),
        ("Series", pb.SeriesRequest(), "view is missing: name daily_quality, version_quality,"),
        ("Series", pb.SeriesRequest(view="users"), "view 'users' is unknown: name daily_quality"),
        ("Series", pb.SeriesRequest(view="cost", page_token="e30="), "page_token is not one of"),
    ],
)
async def test_what_cannot_work_is_refused_by_field_with_the_fix(
    address: str, method: str, request_: Message, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        await ask(address, method, request_)


async def test_a_series_has_columns_and_rows_of_the_tenant_alone(
    address: str, history: FakeHistory
) -> None:
    days = [{"day": f"2026-01-0{n}", "interactions": n, "approval": None} for n in (4, 5)]
    history.lists["acme", "daily_quality"] = list(days)
    request = pb.SeriesRequest(view="daily_quality", page_size=1)
    first: pb.SeriesResponse = await ask(address, "Series", request)
    assert [column.name for column in first.columns] == ["day"]
    assert [dict(row) for row in first.rows] == [days[1]]
    request.page_token = first.next_page_token
    second = await ask(address, "Series", request)
    assert [row["day"] for row in second.rows] == ["2026-01-04"]
    assert not (await ask(address, "Series", request, tenant="other")).rows
    request.view = "cost"
    with pytest.raises(InvalidInput, match="page_token is not one of ours"):
        await ask(address, "Series", request)


async def letters(address: str, method: str, request: Message) -> Any:
    async with channel(address) as opened:
        return await call(getattr(DeadLetterServiceStub(opened), method), request)


async def test_dead_letters_are_counted_and_shown_with_their_cause(address: str) -> None:
    [topic] = (await letters(address, "List", pb.ListDeadLettersRequest())).topics
    assert (topic.topic, topic.count, topic.end) == ("tea.v1.dlq", 2, 2)
    request = pb.ListDeadLettersRequest(topic="tea.v1", filter={"cause": "JSON"})
    [counted] = (await letters(address, "List", request)).topics
    assert (counted.count, counted.oldest_parked_at.ToDatetime(UTC)) == (1, NOON)
    reply = await letters(address, "Show", pb.ShowDeadLettersRequest(topic="tea.v1", limit=2))
    newest, other = reply.dead_letters
    assert (newest.offset, newest.cause.message, newest.cause.partition) == (1, "not JSON", 3)
    assert (newest.value_bytes, len(newest.value), newest.key) == (1_000_000, 65_536, b"\xff")
    assert newest.parked_at.ToDatetime(UTC) == NOON
    assert not other.HasField("cause")
    assert not other.HasField("key")


async def test_many_large_dead_letters_still_fit_into_one_reply(address: str) -> None:
    reply = await letters(address, "Show", pb.ShowDeadLettersRequest(topic="tea.v1", limit=1_000))
    sizes = {(len(one.value), one.value_bytes) for one in reply.dead_letters}
    ((size, whole),) = sizes
    assert size * 1_000 <= 2 * 1024 * 1024 < MAX_MESSAGE_BYTES
    assert whole == 1_000_000


async def test_dead_letters_are_replayed_and_dropped_over_rpc(address: str) -> None:
    about: dict[str, Any] = {"topic": "tea.v1", "actor": "ann", "reason": "mended"}
    reply = await letters(address, "Replay", pb.ReplayDeadLettersRequest(offsets=[1], **about))
    (one,) = reply.dead_letters
    assert (one.offset, one.outcome, reply.next_start) == (1, "replayed", 0)
    drop = pb.DropDeadLettersRequest(filter={"since": NOON}, **about)
    (one,) = (await letters(address, "Drop", drop)).dead_letters
    assert (one.offset, one.outcome) == (0, "dropped")
    assert [
        one.count for one in (await letters(address, "List", pb.ListDeadLettersRequest())).topics
    ] == [0]
    request = pb.ShowDeadLettersRequest(topic="tea.v1", decided=True)
    newest, other = (await letters(address, "Show", request)).dead_letters
    assert (newest.decision.verdict, newest.decision.reason) == ("replayed", "mended")
    assert other.decision.verdict == "dropped"


async def test_dead_letters_that_cannot_be_shown_say_why(address: str) -> None:
    for request, says in (
        (pb.ShowDeadLettersRequest(), "topic is missing"),
        (pb.ShowDeadLettersRequest(topic="tea.v1", limit=1_001), "limit is 1001: ask for 1 to"),
        (pb.ShowDeadLettersRequest(topic="tea.v1", filter={"start": -1}), "start is -1"),
        (pb.ShowDeadLettersRequest(topic="tea.v1", filter={"since": {"seconds": 10**15}}), "since"),
    ):
        with pytest.raises(InvalidInput, match=says):
            await letters(address, "Show", request)
    with pytest.raises(NotFound, match=r"no dead letters of nope: there are tea\.v1\.dlq"):
        await letters(address, "Show", pb.ShowDeadLettersRequest(topic="nope"))
