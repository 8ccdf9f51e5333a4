"""A server that takes a moment to answer the first bytes is busy, not away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_client import Addresses, AsyncClient
from gyre_common.rpc import call, channel, serve

SECONDS = 0.5


class Retriever(retriever_pb2_grpc.RetrieverServiceServicer):
    """Answers with nothing found."""

    async def Retrieve(
        self, request: retriever_pb2.RetrieveRequest, context: object
    ) -> retriever_pb2.RetrieveResponse:
        return retriever_pb2.RetrieveResponse(fallbacks=["none"])


@asynccontextmanager
async def a_busy_server() -> AsyncIterator[str]:
    """Its address; bytes pass in both ways, the first ones late."""

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()

    async def connect(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SECONDS)
        back, behind = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pass_on(source, behind), pass_on(back, sink))

    tasks: list[asyncio.Task[None]] = []
    async with serve([Retriever()]) as server:
        await server.set_serving(True)
        proxy = await asyncio.start_server(
            lambda *ends: tasks.append(asyncio.create_task(connect(*ends))), "127.0.0.1", 0
        )
        try:
            yield f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        finally:
            proxy.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def test_services_wait_for_a_server_that_is_slow_to_connect() -> None:
    async with a_busy_server() as address, channel(address) as open_channel:
        stub = retriever_pb2_grpc.RetrieverServiceStub(open_channel)
        reply = await call(stub.Retrieve, retriever_pb2.RetrieveRequest(query="tea"))
        assert reply.fallbacks == ["none"]


async def test_clients_wait_for_a_server_that_is_slow_to_connect() -> None:
    async with a_busy_server() as address, AsyncClient(Addresses(retriever=address)) as client:
        reply = await client.search.retrieve("tea")
        assert list(reply.fallbacks) == ["none"]
