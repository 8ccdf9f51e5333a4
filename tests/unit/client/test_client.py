"""The client as its users meet it: typed replies and errors, retries, deadlines, who calls."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from typing import assert_type

import gyre_client
import gyre_common.errors
import pytest
from gyre.generator.v1.generator_pb2 import AnswerRequest, AnswerResponse
from gyre.ingestor.v1 import ingestor_pb2
from gyre.telemetry.v1.telemetry_pb2 import DeadLetterFilter
from gyre.trainer.v1 import trainer_pb2
from gyre_client import (
    Addresses,
    AsyncClient,
    Caller,
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from gyre_client.answers import AskOptions
from gyre_client.client import PARTS
from gyre_client.health import Health, health_at, metrics_address
from gyre_client.parts import PartMethod
from gyre_client.submission import Draft, Progress
from gyre_common.telemetry.exposition import Readiness, expose
from gyre_common.telemetry.metrics import METRICS

from tests.unit.client.fake_system import IDS, FakeSystem, serve_fake, served_beside

KEY = "a-key-of-16-letters"
AWAY = gyre_common.errors.Unavailable("Kafka does not answer", retry_after_seconds=0.01)


@pytest.fixture
def system() -> FakeSystem:
    return FakeSystem()


@pytest.fixture
async def client(system: FakeSystem) -> AsyncIterator[AsyncClient]:
    async with (
        serve_fake(system) as addresses,
        AsyncClient(addresses, Caller(actor="ann")) as client,
    ):
        yield client


async def test_who_calls_goes_along(system: FakeSystem) -> None:
    caller = Caller(tenant="acme", groups=("staff", "größe, alle"), key=KEY, actor="ann")
    async with (
        serve_fake(system, keys=(KEY,)) as addresses,
        AsyncClient(addresses, caller) as client,
    ):
        await client.answers.ask("How hot?")
        await client.with_caller(tenant="other", groups=()).answers.ask("How hot?")
        await client.feedback.vote(IDS[0], "up")
        with pytest.raises(Unauthenticated):
            await client.with_caller(key=None).answers.ask("How hot?")
    assert [(one.tenant, one.acl) for one in system.callers] == [
        ("acme", ("staff", "größe, alle")),
        ("other", ()),
        ("acme", ("staff", "größe, alle")),
    ]
    assert system.requests[-1].actor == "ann"


async def test_what_goes_along_with_a_question_is_in_the_request(
    client: AsyncClient, system: FakeSystem
) -> None:
    options: AskOptions = {
        "instructions": "Be brief.",
        "version": "extractive-1",
        "max_tokens": 50,
        "temperature": 0.0,
        "seed": 7,
        "idempotency_key": "try-1",
    }
    await client.answers.ask("How hot?", **options)
    _ = [piece async for piece in client.answers.stream("How hot?", **options)]
    await client.answers.ask("How hot?")

    whole, streamed, plain = system.requests
    assert whole == streamed == AnswerRequest(question="How hot?", actor="ann", **options)
    assert plain.idempotency_key
    assert not plain.HasField("temperature")


async def test_metadata_of_ones_own_goes_along(client: AsyncClient, system: FakeSystem) -> None:
    pinned = client.with_caller(metadata=(("gyre-versions", "generator=g-1"),))
    await pinned.answers.ask("How hot?")
    assert dict(system.callers[0].versions) == {"generator": "g-1"}


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Caller(key=KEY))


@pytest.mark.parametrize(
    "raised",
    [
        gyre_common.errors.InvalidInput("question", "is empty", "ask something", code="empty"),
        gyre_common.errors.NotFound("no such answer"),
        gyre_common.errors.FailedPrecondition("training needs torch", code="packages"),
        gyre_common.errors.Conflict("somebody was faster"),
        gyre_common.errors.Unauthenticated("send a key"),
        gyre_common.errors.DeadlineExceeded("not done in time"),
        gyre_common.errors.Unavailable("Kafka does not answer", retry_after_seconds=2.5),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_an_error_arrives_as_it_was_raised(
    client: AsyncClient, system: FakeSystem, raised: gyre_common.errors.GyreError
) -> None:
    system.failures = [raised]
    kind = getattr(gyre_client, type(raised).__name__)
    with pytest.raises(kind) as excinfo:
        await client.answers.ask("How hot?", timeout=2.0)
    assert str(excinfo.value) == str(raised)
    assert {name: getattr(excinfo.value, name) for name in vars(raised)} == vars(raised)


async def test_nobody_at_the_address_is_told_at_once(unused_tcp_port: int) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    async with AsyncClient(Addresses(generator=address)) as client:
        with pytest.raises(Unreachable, match=f"nothing answers at {address}") as excinfo:
            await client.answers.ask("How hot?")
    assert excinfo.value.retry_after_seconds is None


async def test_a_call_is_tried_again_only_where_the_server_asks_for_it(
    client: AsyncClient, system: FakeSystem
) -> None:
    system.failures = [AWAY, AWAY]
    assert (await client.answers.ask("How hot?")).answer == "80 degrees."
    assert len({one.idempotency_key for one in system.requests}) == 1
    assert len(system.requests) == 3

    system.requests.clear()
    system.failures = [gyre_common.errors.NotFound("no"), AWAY]
    with pytest.raises(NotFound):
        await client.answers.ask("How hot?")
    assert len(system.requests) == 1


async def test_what_may_not_be_repeated_is_not(client: AsyncClient, system: FakeSystem) -> None:
    system.failures = [AWAY]
    with pytest.raises(Unavailable, match="Kafka does not answer"):
        await client.runs._call("ListRuns", trainer_pb2.ListRunsRequest(), repeatable=False)
    assert len(system.requests) == 1


async def test_it_is_not_tried_for_ever_nor_past_the_deadline(
    client: AsyncClient, system: FakeSystem
) -> None:
    system.failures = [AWAY] * 100
    with pytest.raises(Unavailable):
        await client.answers.ask("How hot?")
    assert len(system.requests) == 5

    system.requests.clear()
    system.failures = [gyre_common.errors.Unavailable("away", retry_after_seconds=60)]
    with pytest.raises(Unavailable):
        await client.answers.ask("How hot?", timeout=5)
    assert len(system.requests) == 1


async def test_a_time_out_reaches_the_server_and_ends_the_call(
    client: AsyncClient, system: FakeSystem
) -> None:
    with pytest.raises(DeadlineExceeded):
        await client.answers.ask("slow", timeout=0.3)
    remaining = system.callers[0].deadline
    assert remaining is not None
    with pytest.raises(DeadlineExceeded):
        await client.answers.ask("How hot?", timeout=0)


async def test_an_answer_comes_in_pieces(client: AsyncClient) -> None:
    pieces = [piece async for piece in client.answers.stream("How hot?")]
    assert "".join(piece.delta.text for piece in pieces) == "80 degrees."
    assert pieces[0].started.interaction_id == pieces[-1].finished.interaction_id == IDS[0]


async def test_a_stream_begins_anew_before_its_first_piece_and_never_after(
    client: AsyncClient, system: FakeSystem
) -> None:
    system.failures = [AWAY]
    assert [piece async for piece in client.answers.stream("How hot?")][-1].HasField("finished")
    with pytest.raises(GyreError, match="the answer broke off"):
        _ = [piece async for piece in client.answers.stream("broken")]


async def test_whoever_stops_reading_cancels_the_call(
    client: AsyncClient, system: FakeSystem
) -> None:
    pieces = client.answers.stream("slow")
    async for piece in pieces:
        if piece.delta.text:
            break
    await pieces.aclose()
    async with asyncio.timeout(30):
        await system.cancelled.wait()


async def test_a_vote_is_as_many_words_as_it_says(client: AsyncClient, system: FakeSystem) -> None:
    words = await client.feedback.vote(IDS[0], "4", comment="good", correction="81")
    assert words == {"rating": "f1", "correction": "f2"}
    assert [(one.value, one.comment) for one in system.requests] == [("4", "good"), ("81", "")]
    assert await client.feedback.vote(IDS[0], "down", chunk_id="c1") == {"chunk": "f3"}
    assert await client.feedback.vote(IDS[0], comment="hm") == {"comment": "f4"}
    for about, says in (
        ({}, "value is missing: say up, down or 1 to 5"),
        ({"value": "sideways"}, "value is sideways: say up, down or a rating"),
        ({"value": "5", "chunk_id": "c1"}, "value is 5: say up or down of a passage"),
        ({"value": "up", "golden": True}, "golden is without a correction: give the answer"),
    ):
        with pytest.raises(InvalidInput, match=says):
            await client.feedback.vote(IDS[0], **about)
    await client.feedback.vote(IDS[0], correction="81", golden=True)
    assert system.requests[-1].golden


async def test_lists_are_read_page_by_page(client: AsyncClient) -> None:
    assert [one.interaction_id async for one in client.history.interactions()] == list(IDS)
    rows = [row async for row in client.history.series("cost")]
    assert rows == [{"day": "first", "interactions": 2}, {"day": "more", "interactions": 2}]


async def test_a_list_is_bounded_and_read_one_page_at_a_time_where_that_is_asked_for(
    client: AsyncClient, system: FakeSystem
) -> None:
    page = await client.history.page(page_size=1, vote="down", search="tea")
    assert [one.interaction_id for one in page.interactions] == [IDS[0]]
    more = await client.history.page(page_token=page.next_page_token, since=None)
    assert [one.interaction_id for one in more.interactions] == [IDS[1]]
    _ = [one async for one in client.history.interactions(conversation_id="c-1")]
    first, second, *streamed = system.requests
    assert (first.page_size, first.vote, first.search, first.actor) == (1, "down", "tea", "ann")
    assert not second.HasField("since")
    assert [one.conversation_id for one in streamed] == ["c-1", "c-1"]

    series = await client.history.series_page("cost", page_token="more")
    assert ([dict(row) for row in series.rows], series.next_page_token) == (
        [{"day": "more", "interactions": 2}],
        "",
    )
    state = ingestor_pb2.DOCUMENT_STATE_REJECTED
    documents = await client.documents.page(page_size=1, search="tea", state=state)
    assert [one.document_id for one in documents.documents] == ["first"]
    listed = [one.document_id async for one in client.documents.list(search="tea", state=state)]
    assert (listed, documents.next_page_token) == (["first", "more"], "more")
    assert await client.documents.start_index_rebuild() == "r1"
    assert (await client.documents.index_rebuild()).documents == 3
    assert await client.documents.parts("all.zip") == ["all.zip/tea.md"]
    assert {(one.search, one.state) for one in system.requests[-3:]} == {("tea", state)}


async def test_what_is_in_quarantine_is_decided_of_by_name(
    client: AsyncClient, system: FakeSystem
) -> None:
    await client.documents.release("held.eml", reason="a quote")
    await client.documents.confirm_quarantine("held.eml")
    first, second = system.requests
    assert (first.verdict, first.actor, first.reason) == (
        ingestor_pb2.QUARANTINE_VERDICT_RELEASED,
        "ann",
        "a quote",
    )
    assert second.verdict == ingestor_pb2.QUARANTINE_VERDICT_CONFIRMED
    with pytest.raises(FailedPrecondition, match="nothing was seen"):
        await client.documents.release("missing")


async def test_an_id_is_known_by_its_beginning(client: AsyncClient) -> None:
    assert await client.history.interaction_id(IDS[1]) == IDS[1]
    with pytest.raises(InvalidInput, match=rf"begins several ids \({IDS[0]}, {IDS[1]}\): give"):
        await client.history.interaction_id("0199A1B2")
    with pytest.raises(NotFound, match="no answer has an id that begins with ffff"):
        await client.history.interaction_id("ffff")
    assert await client.runs.run_id("run-b") == "run-b"
    with pytest.raises(InvalidInput, match="begins several ids"):
        await client.runs.run_id("run-a")


async def test_a_run_is_followed_to_its_end(client: AsyncClient) -> None:
    states: list[str] = []
    run = await client.runs.follow("run-b", lambda run: states.append(run.state))
    assert (run.state, states) == ("released", ["running", "released"])


async def test_who_serves_is_told(client: AsyncClient, unused_tcp_port: int) -> None:
    serving = await client.serving()
    assert set(serving) == set(vars(Addresses()))
    assert all(serving.values())
    nobody = Addresses(**dict.fromkeys(vars(Addresses()), f"127.0.0.1:{unused_tcp_port}"))
    async with AsyncClient(nobody) as other:
        assert not any((await other.serving()).values())


async def test_a_service_says_how_far_behind_it_is_and_what_troubles_it() -> None:
    state = Readiness({"kafka": False}, waiting_for="", problems=["partition 3 is held"])
    with expose("127.0.0.1", 0, lambda: state, lambda: "") as port:
        before = health_at(f"127.0.0.1:{port}", timeout=5).lag or 0
        METRICS.consumer_lag.labels("tea.v1", "drinkers").set(3)
        METRICS.consumer_lag.labels("cups.v1", "drinkers").set(2)
        health = health_at(f"127.0.0.1:{port}", timeout=5)
    assert (health.lag, health.problems) == (before + 5, ("partition 3 is held",))
    assert metrics_address("10.0.0.7:50158") == "10.0.0.7:9208"


async def test_who_does_not_answer_is_neither_behind_nor_ahead(
    client: AsyncClient, system: FakeSystem
) -> None:
    nobody = Addresses(**dict.fromkeys(vars(Addresses()), "127.0.0.1:40952"))
    async with AsyncClient(nobody) as other:
        assert set((await other.health()).values()) == {Health()}
    grpc = client._connection.addresses.ingestor
    assert health_at(grpc, timeout=5) == Health()


def test_ports_of_one_machine_move_together() -> None:
    there = Addresses.on("10.0.0.7", port_offset=100)
    assert (there.ingestor, there.telemetry) == ("10.0.0.7:50151", "10.0.0.7:50158")


def test_both_clients_have_every_method_of_a_part_with_its_documentation() -> None:
    with Client(Addresses()) as client:
        for part in (getattr(client, name) for name in PARTS):
            for name, member in vars(type(part)).items():
                if not name.startswith("_") and name not in ("stub", "service", "seconds"):
                    assert isinstance(member, PartMethod), f"{part}.{name}"
                    assert inspect.getdoc(getattr(part, name)) == inspect.getdoc(member)
                    assert inspect.getdoc(member)


def test_a_name_that_is_no_part_is_refused_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match="no part 'answer': answers, data_sets"):
        AsyncClient().answer  # type: ignore[attr-defined]  # noqa: B018


def test_without_asyncio_calls_block_and_streams_iterate(system: FakeSystem) -> None:
    progress = Progress()
    with served_beside(system) as addresses, Client(addresses) as client:
        assert assert_type(client.answers.ask("How hot?"), AnswerResponse).answer == "80 degrees."
        texts = [piece.delta.text for piece in client.answers.stream("How hot?")]
        assert "".join(texts) == "80 degrees."
        assert [one.interaction_id for one in client.history.interactions()] == list(IDS)
        client.documents.submit_all([Draft("tea.md", partial(BytesIO, b"tea"))], progress)
        with pytest.raises(InvalidInput, match="question is empty: ask something"):
            client.with_caller(tenant="acme").answers.ask("")
        for piece in client.answers.stream("slow"):
            if piece.delta.text:
                break
        assert [one.count for one in client.dead_letters.list()] == [2]
    assert [fate.outcome for fate in progress.finished] == ["indexed"]
    assert system.callers[-3].tenant == "acme"


def test_dead_letters_are_counted_and_replayed_page_by_page(system: FakeSystem) -> None:
    with served_beside(system) as addresses, Client(addresses) as client:
        chosen = DeadLetterFilter(cause="JSON")
        assert client.dead_letters.count("tea.v1", chosen).count == 4
        replayed = client.dead_letters.replay("tea.v1", chosen=chosen, actor="ann")
        assert [one.offset for one in replayed] == [0, 4]
        assert system.requests[-1].filter.cause == "JSON"


def test_letters_that_are_parked_meanwhile_are_not_decided_on(system: FakeSystem) -> None:
    with served_beside(system) as addresses, Client(addresses) as client:
        letters = client.dead_letters
        for chosen, end in ((DeadLetterFilter(cause="JSON"), 8), (DeadLetterFilter(end=5), 5)):
            for decided in (
                letters.replay("tea.v1", chosen=chosen, actor="ann"),
                letters.drop("tea.v1", chosen=chosen, actor="ann", reason="no use"),
            ):
                assert list(decided)
                assert system.requests[-1].filter.end == end
        assert list(letters.replay("tea.v1", [7], actor="ann"))
        assert not system.requests[-1].HasField("filter")


async def test_it_works_within_a_running_loop_as_notebooks_have(system: FakeSystem) -> None:
    with served_beside(system) as addresses, Client(addresses) as client:
        assert client.answers.ask("How hot?").answer == "80 degrees."
