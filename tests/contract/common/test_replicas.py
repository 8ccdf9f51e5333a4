"""Two servers behind one name: one of them restarts, and no call fails."""

import asyncio
import importlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FileDescriptor
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre_common.errors import Unavailable
from gyre_common.rpc import call, channel, serve
from gyre_common.rpc.balancing import REPEATABLE, balancing_options, target_of
from gyre_common.settings import ServiceSettings, SettingsError, load_settings

from tests.eventually import eventually

_CALLS = 200
_AT_ONCE = 8


class Replica(
    retriever_pb2_grpc.RetrieverServiceServicer, generator_pb2_grpc.GeneratorServiceServicer
):
    """Counts what it answers, as either service; slowly enough to be met at work."""

    def __init__(self, name: str, answered: Counter[str]) -> None:
        self.name = name
        self.answered = answered
        self.refusals = 0
        self.cuts = 0

    async def Retrieve(self, request: Any, context: Any) -> retriever_pb2.RetrieveResponse:
        await self._answer()
        return retriever_pb2.RetrieveResponse()

    async def Answer(self, request: Any, context: Any) -> generator_pb2.AnswerResponse:
        if self.cuts:
            self.cuts -= 1
            await context.abort(grpc.StatusCode.CANCELLED)
        await self._answer()
        return generator_pb2.AnswerResponse()

    async def _answer(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("not now")
        await asyncio.sleep(0.005)
        self.answered[self.name] += 1


class Replicas:
    """Two of them behind one name."""

    def __init__(self) -> None:
        self.answered = Counter[str]()
        self.ports: dict[str, int] = {}
        self._running: dict[str, AsyncExitStack] = {}

    @property
    def address(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports.values())

    async def start(self, name: str) -> Replica:
        self._running[name] = AsyncExitStack()
        replica = Replica(name, self.answered)
        server = await self._running[name].enter_async_context(
            serve([replica], port=self.ports.get(name, 0), drain_seconds=10)
        )
        self.ports[name] = server.port
        return replica

    async def stop(self, name: str) -> None:
        await self._running.pop(name).aclose()

    async def stop_all(self) -> None:
        for name in [*self._running]:
            await self.stop(name)


@pytest.fixture
async def replicas() -> AsyncIterator[Replicas]:
    replicas = Replicas()
    yield replicas
    await replicas.stop_all()


def retrieve(connection: Any) -> Callable[[], Awaitable[Any]]:
    stub = retriever_pb2_grpc.RetrieverServiceStub(connection)
    return lambda: call(stub.Retrieve, retriever_pb2.RetrieveRequest(query="tea"), timeout=30)


def answer(connection: Any) -> Callable[[], Awaitable[Any]]:
    stub = generator_pb2_grpc.GeneratorServiceStub(connection)
    return lambda: call(stub.Answer, generator_pb2.AnswerRequest(question="tea?"), timeout=30)


@pytest.mark.parametrize("method", [retrieve, answer])
async def test_a_replica_that_restarts_costs_no_call(
    replicas: Replicas, method: Callable[[Any], Callable[[], Awaitable[Any]]]
) -> None:
    """Not even where a call must not be made twice: the leaving server ends what it has begun."""
    await replicas.start("one")
    await replicas.start("two")
    async with channel(replicas.address) as connection:
        one_call = method(connection)

        async def calls() -> None:
            for _ in range(_CALLS // _AT_ONCE):
                await one_call()

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(calls())
            await eventually(lambda: replicas.answered["one"] and replicas.answered["two"])
            await replicas.stop("one")
            await replicas.start("one")
    assert replicas.answered.total() == _CALLS


async def test_what_changes_nothing_is_made_again_and_nothing_else_is(replicas: Replicas) -> None:
    replica = await replicas.start("one")
    async with channel(replicas.address) as connection:
        replica.refusals = 2
        await retrieve(connection)()
        replica.refusals = 2
        with pytest.raises(Unavailable, match="not now"):
            await answer(connection)()
        assert replica.refusals == 1
        replica.refusals = 99
        with pytest.raises(Unavailable, match="not now"):
            await retrieve(connection)()
        assert replica.refusals == 99 - 4


async def test_what_was_begun_and_cut_off_is_not_made_again(replicas: Replicas) -> None:
    replica = await replicas.start("one")
    async with channel(replicas.address) as connection:
        replica.cuts = 2
        with pytest.raises(Unavailable):
            await answer(connection)()
        assert (replica.cuts, replicas.answered.total()) == (1, 0)


def test_every_method_that_is_made_again_exists() -> None:
    methods = {
        service.full_name: {method.name for method in service.methods}
        for file in _files()
        for service in file.services_by_name.values()
    }
    for service, names in REPEATABLE.items():
        assert set(names) <= methods[service]
    assert json.loads(dict(balancing_options(1))["grpc.service_config"])["methodConfig"]


def _files() -> list[FileDescriptor]:
    root = Path(generator_pb2.__file__).parents[2]
    paths = [each.relative_to(root.parent).with_suffix("") for each in root.rglob("*_pb2.py")]
    names = [".".join(path.parts) for path in paths]
    return [importlib.import_module(name).DESCRIPTOR for name in names]


@pytest.mark.parametrize(
    ("addresses", "target"),
    [
        ("retriever:50053", "retriever:50053"),
        ("10.0.0.1:1, 10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2"),
    ],
)
def test_an_address_is_one_name_or_several_ips(addresses: str, target: str) -> None:
    assert target_of(addresses) == target


@pytest.mark.parametrize("addresses", ["a:1,b:2", "10.0.0.1:1,[::1]:2", "10.0.0.1:1,tea:2"])
def test_names_between_commas_are_refused(addresses: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYRE_RETRIEVER_ADDRESS", addresses)
    with pytest.raises(SettingsError, match="GYRE_RETRIEVER_ADDRESS: must be one HOST:PORT"):
        load_settings(ServiceSettings)
