"""What every Gyre server and client keep to, seen from both ends of a real connection."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.context import RequestContext, request_context, use_context, use_versions
from gyre_common.errors import (
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Poison,
    Retryable,
    TooManyCalls,
    Unauthenticated,
    Unavailable,
)
from gyre_common.rpc import call, channel, serve, stream
from gyre_common.rpc.server import RpcServer
from gyre_common.telemetry import METRICS
from gyre_common.telemetry.tracing import current_trace_id, start_tracing, tracer

RETRIEVE = "/gyre.retriever.v1.RetrieverService/Retrieve"
KEY = "correct-horse-battery"


class Retriever(retriever_pb2_grpc.RetrieverServiceServicer):
    """Fails as told, or tells what it saw."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.contexts: list[RequestContext] = []
        self.traces: list[str | None] = []
        self.entered = asyncio.Event()
        self.release: asyncio.Event | None = None
        self.cancelled = asyncio.Event()
        self.size = 0

    async def Retrieve(self, request: Any, context: Any) -> retriever_pb2.RetrieveResponse:
        self.contexts.append(request_context())
        self.traces.append(current_trace_id())
        self.entered.set()
        if self.error is not None:
            raise self.error
        if self.release is not None:
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        return retriever_pb2.RetrieveResponse(fallbacks=["x" * self.size])


class Generator(generator_pb2_grpc.GeneratorServiceServicer):
    """Streams the words of the question; a word in capitals breaks it off."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def StreamAnswer(self, request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            for word in request.question.split():
                if word == "REFUSE":
                    raise FailedPrecondition("no such version here")
                if word == "WAIT":
                    await asyncio.Event().wait()
                yield generator_pb2.StreamAnswerResponse(delta=generator_pb2.Delta(text=word))
        finally:
            self.closed.set()


class Running:
    """One server with both services, and stubs to it."""

    def __init__(self, retriever: Retriever, generator: Generator, server: RpcServer) -> None:
        self.retriever = retriever
        self.generator = generator
        self.server = server
        self.address = f"127.0.0.1:{server.port}"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await start(stack)


async def start(stack: AsyncExitStack, **options: Any) -> Running:
    retriever, generator = Retriever(), Generator()
    server = await stack.enter_async_context(
        serve(
            [retriever, generator],
            **options,
        )
    )
    return Running(retriever, generator, server)


async def retrieve(address: str, *, timeout: float = 10.0, query: str = "tea", **who: Any) -> Any:
    async with channel(address, **who) as connection:
        stub = retriever_pb2_grpc.RetrieverServiceStub(connection)
        return await call(
            stub.Retrieve, retriever_pb2.RetrieveRequest(query=query), timeout=timeout
        )


async def words(address: str, question: str) -> list[str]:
    async with channel(address) as connection:
        stub = generator_pb2_grpc.GeneratorServiceStub(connection)
        request = generator_pb2.AnswerRequest(question=question)
        return [reply.delta.text async for reply in stream(stub.StreamAnswer, request)]


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput("query", "is empty", "write 1 to 4,096 characters – any language"),
        NotFound("no document tea.md"),
        FailedPrecondition("query-encoder has no version two here (yet)"),
        Conflict("generation is 4, not 3"),
        Unauthenticated("who are you?"),
        PermissionDenied("tenant zoo is not open to this key"),
        DeadlineExceeded("not done within 1.0 s"),
        Unavailable("Kafka does not answer", retry_after_seconds=2.5),
        TooManyCalls("4 calls of this caller are in flight here already", retry_after_seconds=2.5),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_error_of_the_server_is_the_same_error_at_the_caller(
    running: Running, error: GyreError
) -> None:
    running.retriever.error = error
    with pytest.raises(type(error)) as excinfo:
        await retrieve(running.address)
    assert str(excinfo.value) == str(error)
    assert vars(excinfo.value) == vars(error)


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x0a\x02\xff\xfe", b"\x0a\xff\xff\xff\x7f"])
async def test_bytes_that_are_no_message_are_refused_as_such(running: Running, data: bytes) -> None:
    async with grpc.aio.insecure_channel(running.address) as plain:
        with pytest.raises(grpc.aio.AioRpcError) as excinfo:
            await plain.unary_unary(RETRIEVE, bytes, bytes)(data)
    assert excinfo.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "request is no message of this method" in (excinfo.value.details() or "")


async def test_details_are_those_of_google_rpc(running: Running) -> None:
    from google.rpc import error_details_pb2, status_pb2

    running.retriever.error = InvalidInput("query", "is empty", "write a question")
    async with grpc.aio.insecure_channel(running.address) as plain:
        stub = retriever_pb2_grpc.RetrieverServiceStub(plain)
        with pytest.raises(grpc.aio.AioRpcError) as excinfo:
            await stub.Retrieve(retriever_pb2.RetrieveRequest())
    assert excinfo.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    metadata: Any = excinfo.value.trailing_metadata()
    trailing = dict(metadata)
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert bad.field_violations[0].field == "query"
    assert bad.field_violations[0].description == "is empty: write a question"


async def test_a_very_long_error_still_arrives(running: Running) -> None:
    running.retriever.error = InvalidInput("🍵" * 9000, "ä" * 9000, "\ud800" * 9000)
    with pytest.raises(InvalidInput) as excinfo:
        await retrieve(running.address)
    assert excinfo.value.problem.startswith("ää")
    running.retriever.error = NotFound("🍵\n\x00" * 9000)
    with pytest.raises(NotFound, match="🍵"):
        await retrieve(running.address)


async def test_any_retryable_failure_is_unavailable(running: Running) -> None:
    running.retriever.error = Retryable("Elasticsearch is down")
    with pytest.raises(Unavailable, match="Elasticsearch is down"):
        await retrieve(running.address)


@pytest.mark.parametrize("bug", [ValueError("s3cret"), Poison("s3cret"), TimeoutError("s3cret")])
async def test_a_bug_stays_in_the_servers_log(
    running: Running, bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    running.retriever.error = bug
    with caplog.at_level(logging.ERROR), pytest.raises(GyreError, match="INTERNAL") as excinfo:
        await retrieve(running.address)
    assert "s3cret" not in str(excinfo.value)
    assert not isinstance(excinfo.value, Retryable)
    assert "s3cret" in caplog.text


async def test_the_context_of_a_request_travels_along(running: Running) -> None:
    start_tracing("test")
    me = RequestContext(tenant="acme", acl=("hr", "a,b", "Müller"))
    with (
        use_context(me),
        use_versions({"retrieval": "hybrid-1"}),
        tracer.start_as_current_span("x"),
    ):
        trace_id = current_trace_id()
        await retrieve(running.address)
    [one_context] = running.retriever.contexts
    assert (one_context.tenant, one_context.acl) == ("acme", me.acl)
    assert dict(one_context.versions) == {"retrieval": "hybrid-1"}
    assert running.retriever.traces == [trace_id]


async def test_a_caller_of_its_own_speaks_for_itself(running: Running) -> None:
    await retrieve(running.address, tenant="acme", acl=("hr",))
    await retrieve(running.address)
    first, second = running.retriever.contexts
    assert (first.tenant, first.acl) == ("acme", ("hr",))
    assert (second.tenant, second.acl) == ("default", ())


async def test_one_request_leaves_nothing_to_the_next(running: Running) -> None:
    await asyncio.gather(*(retrieve(running.address, tenant=f"t{n}") for n in range(20)))
    assert {one_context.tenant for one_context in running.retriever.contexts} == {
        f"t{n}" for n in range(20)
    }


@pytest.mark.parametrize("metadata", [("gyre-tenant", "No Tenant"), ("gyre-versions", "nonsense")])
async def test_malformed_metadata_never_reaches_the_service(
    running: Running, metadata: tuple[str, str]
) -> None:
    async with grpc.aio.insecure_channel(running.address) as plain:
        stub = retriever_pb2_grpc.RetrieverServiceStub(plain)
        with pytest.raises(grpc.aio.AioRpcError) as excinfo:
            await stub.Retrieve(retriever_pb2.RetrieveRequest(), metadata=(metadata,))
    assert excinfo.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert running.retriever.contexts == []


async def test_what_is_left_of_the_time_travels_along(running: Running) -> None:
    loop_time = asyncio.get_running_loop().time()
    with use_context(RequestContext(deadline=loop_time + 3)):
        await retrieve(running.address, timeout=60)
    remaining = running.retriever.contexts[0].remaining()
    assert remaining is not None
    # From 1 to 10 s gRPC sends what is left in steps of 10 ms, rounded up.
    assert 0 < remaining <= 3.01


async def test_a_call_without_a_deadline_gets_one() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, default_deadline=0.1)
        running.retriever.release = asyncio.Event()
        async with grpc.aio.insecure_channel(running.address) as plain:
            stub = retriever_pb2_grpc.RetrieverServiceStub(plain)
            with pytest.raises(grpc.aio.AioRpcError) as excinfo:
                await stub.Retrieve(retriever_pb2.RetrieveRequest())
        assert excinfo.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert running.retriever.cancelled.is_set()


async def test_a_call_whose_time_ran_out_stops_on_both_ends(running: Running) -> None:
    running.retriever.release = asyncio.Event()
    with pytest.raises(DeadlineExceeded):
        await retrieve(running.address, timeout=0.1)
    await asyncio.wait_for(running.retriever.cancelled.wait(), 5)


async def test_a_cancelled_call_is_cancelled_at_the_server(running: Running) -> None:
    running.retriever.release = asyncio.Event()
    calling = asyncio.create_task(retrieve(running.address))
    await asyncio.wait_for(running.retriever.entered.wait(), 5)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await asyncio.wait_for(running.retriever.cancelled.wait(), 5)


async def test_a_stream_arrives_in_pieces_and_its_error_at_the_end(running: Running) -> None:
    assert await words(running.address, "green tea is good") == ["green", "tea", "is", "good"]
    with pytest.raises(FailedPrecondition, match="no such version"):
        await words(running.address, "green REFUSE")
    assert running.generator.closed.is_set()


async def test_leaving_a_stream_early_cancels_it_at_the_server(running: Running) -> None:
    async with channel(running.address) as connection:
        stub = generator_pb2_grpc.GeneratorServiceStub(connection)
        request = generator_pb2.AnswerRequest(question="green WAIT")
        async with aclosing(stream(stub.StreamAnswer, request)) as replies:
            assert (await anext(replies)).delta.text == "green"
        await asyncio.wait_for(running.generator.closed.wait(), 5)


async def test_a_stream_that_takes_too_long_is_ended(running: Running) -> None:
    async with channel(running.address) as connection:
        stub = generator_pb2_grpc.GeneratorServiceStub(connection)
        request = generator_pb2.AnswerRequest(question="green WAIT")
        with pytest.raises(DeadlineExceeded):
            async for _ in stream(stub.StreamAnswer, request, timeout=0.2):
                pass
    await asyncio.wait_for(running.generator.closed.wait(), 5)


@pytest.mark.parametrize("key", [None, "wrong-wrong-wrong", "", KEY + "x"])
async def test_without_a_known_key_nothing_is_answered(key: str | None) -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, keys=(f"{KEY}-old", KEY))
        with pytest.raises(Unauthenticated):
            await retrieve(running.address, key=key)
        with pytest.raises(grpc.RpcError) as excinfo:
            await services_of(running.address)
        assert excinfo.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert running.retriever.contexts == []


async def test_each_of_several_keys_is_known() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, keys=(f"{KEY}-old", KEY))
        for key in (f"{KEY}-old", KEY):
            await retrieve(running.address, key=key)


async def test_beyond_loopback_a_server_refuses_to_start_without_keys() -> None:
    with pytest.raises(GyreError, match="GYRE_KEYS"):
        async with serve(host="0.0.0.0"):
            pass


async def test_a_taken_port_is_named(running: Running) -> None:
    with pytest.raises(GyreError, match=rf"{running.server.port}.*already in use"):
        async with serve(port=running.server.port):
            pass


async def test_a_message_that_is_too_large_is_refused_clearly() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, max_message_bytes=100_000)
        async with grpc.aio.insecure_channel(running.address) as plain:
            stub = retriever_pb2_grpc.RetrieverServiceStub(plain)
            with pytest.raises(grpc.aio.AioRpcError) as excinfo:
                await stub.Retrieve(retriever_pb2.RetrieveRequest(query="x" * 200_000))
        assert excinfo.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(InvalidInput, match="100000"):
            await retrieve(running.address, query="x" * 200_000)
        running.retriever.size = 200_000
        with pytest.raises(InvalidInput, match="100000"):
            await retrieve(running.address)


async def test_too_many_calls_at_once_are_turned_away_at_once() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, max_in_flight=1)
        running.retriever.release = asyncio.Event()
        first = asyncio.create_task(retrieve(running.address))
        await asyncio.wait_for(running.retriever.entered.wait(), 5)
        with pytest.raises(Unavailable, match="in flight"):
            await retrieve(running.address)
        running.retriever.release.set()
        await first
        await retrieve(running.address)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with serve() as server:
        address = f"127.0.0.1:{server.port}"
    with pytest.raises(Unavailable):
        await retrieve(address)


async def answers(stub: Any) -> bool:
    try:
        await call(stub.Retrieve, retriever_pb2.RetrieveRequest())
    except Unavailable:
        return False
    return True


async def test_a_channel_finds_a_server_that_comes_back() -> None:
    async with AsyncExitStack() as stack:
        async with AsyncExitStack() as first:
            running = await start(first)
            connection = await stack.enter_async_context(channel(running.address))
            stub = retriever_pb2_grpc.RetrieverServiceStub(connection)
            await call(stub.Retrieve, retriever_pb2.RetrieveRequest())
        with pytest.raises(Unavailable):
            await call(stub.Retrieve, retriever_pb2.RetrieveRequest())
        await start(stack, port=running.server.port)

        async with asyncio.timeout(5):
            while not await answers(stub):
                pass


async def test_a_call_without_any_time_left_is_not_made(running: Running) -> None:
    with use_context(RequestContext(deadline=0.0)), pytest.raises(DeadlineExceeded):
        await retrieve(running.address)
    assert running.retriever.contexts == []


async def test_a_method_that_nobody_wrote_is_unimplemented(running: Running) -> None:
    async with channel(running.address) as connection:
        stub = generator_pb2_grpc.GeneratorServiceStub(connection)
        with pytest.raises(GyreError, match="UNIMPLEMENTED"):
            await call(stub.Answer, generator_pb2.AnswerRequest())


async def test_draining_finishes_what_is_in_flight_and_takes_no_more() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack)
        running.retriever.release = asyncio.Event()
        first = asyncio.create_task(retrieve(running.address))
        await asyncio.wait_for(running.retriever.entered.wait(), 5)
        draining = asyncio.create_task(running.server.drain(10))
        with pytest.raises(Unavailable):
            await retrieve(running.address)
        running.retriever.release.set()
        assert await first
        await asyncio.wait_for(draining, 5)


async def test_draining_ends_at_its_limit() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack)
        running.retriever.release = asyncio.Event()
        first = asyncio.create_task(retrieve(running.address))
        await asyncio.wait_for(running.retriever.entered.wait(), 5)
        await asyncio.wait_for(running.server.drain(0.1), 5)
        with pytest.raises(Unavailable):
            await first
        assert running.retriever.cancelled.is_set()


async def health_of(address: str, service: str = "") -> str:
    async with grpc.aio.insecure_channel(address) as plain:
        stub = health_pb2_grpc.HealthStub(plain)
        reply = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


async def services_of(address: str) -> set[str]:
    # In a thread: the client of grpc.aio tells INTERNAL instead of the server's status when a call
    # ends before its request is sent.
    return await asyncio.to_thread(_services_of, address)


def _services_of(address: str) -> set[str]:
    with grpc.insecure_channel(address) as plain:
        stub = reflection_pb2_grpc.ServerReflectionStub(plain)
        reflection_replies = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        return {
            service.name
            for reply in reflection_replies
            for service in reply.list_services_response.service
        }


async def test_health_follows_readiness(running: Running) -> None:
    service = "gyre.retriever.v1.RetrieverService"
    assert await health_of(running.address) == "NOT_SERVING"
    assert await health_of(running.address, service) == "NOT_SERVING"
    await running.server.set_serving(True)
    assert await health_of(running.address) == "SERVING"
    assert await health_of(running.address, service) == "SERVING"


async def test_health_needs_no_key() -> None:
    async with AsyncExitStack() as stack:
        running = await start(stack, keys=(KEY,))
        assert await health_of(running.address) == "NOT_SERVING"


async def test_reflection_names_the_services(running: Running) -> None:
    assert {
        "gyre.retriever.v1.RetrieverService",
        "gyre.generator.v1.GeneratorService",
        "grpc.health.v1.Health",
    } <= await services_of(running.address)


async def test_a_server_that_still_starts_says_so() -> None:
    async with serve() as server:
        address = f"127.0.0.1:{server.port}"
        with pytest.raises(Unavailable, match="still starting: try"):
            await retrieve(address)
        server.set_waiting_for("Kafka does not answer")
        with pytest.raises(Unavailable, match=r"still starting \(Kafka does not answer\): try"):
            await retrieve(address)
        assert await health_of(address) == "NOT_SERVING"
        await server.add([Retriever()])
        await retrieve(address)


async def test_a_call_is_counted_and_logged_without_its_payload(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    def count(code: str) -> float:
        labels = {"method": RETRIEVE, "code": code}
        return METRICS.registry.get_sample_value("gyre_rpc_handled_total", labels) or 0

    before = count("OK"), count("NOT_FOUND")
    with caplog.at_level(logging.INFO):
        await retrieve(running.address, query="a private question", tenant="acme")
        running.retriever.error = NotFound("gone")
        with pytest.raises(NotFound):
            await retrieve(running.address)
    assert (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1)
    lines = [record for record in caplog.records if record.message == "call answered"]
    assert [vars(line)["code"] for line in lines] == ["OK", "NOT_FOUND"]
    assert [vars(line)["tenant"] for line in lines] == ["acme", "default"]
    assert "private" not in caplog.text
