"""Each engine is killed under a working system: what was acknowledged is there afterwards, once."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import clickhouse_connect
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from google.protobuf.message import Message
from gyre.feedback.v1 import feedback_pb2
from gyre.feedback.v1.feedback_pb2_grpc import FeedbackServiceStub
from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre_common.errors import NotFound, Unavailable
from gyre_common.rpc import call, channel

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(300)]

BACK_WITHIN, CAUGHT_UP_WITHIN = 60.0, 60.0
AT_ONCE = 8.0
"""Longer than any caller should wait for a refusal, also on a machine that is busy elsewhere."""

ReplyT = TypeVar("ReplyT")


class Customers:
    """They submit, ask and vote without a break, and insist until each thing is acknowledged."""

    def __init__(self, name: str, stubs: "Stubs") -> None:
        self._name = name
        self._stubs = stubs
        self.documents: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        self.votes: dict[str, str] = {}
        self.refusals: list[tuple[Unavailable, float]] = []
        self._to_vote_on: asyncio.Queue[str | None] = asyncio.Queue()
        self._leaving = False

    def leave(self) -> None:
        """Finish what is under way, begin nothing: a call that is cut off may have counted."""
        self._leaving = True
        self._to_vote_on.put_nowait(None)

    async def submit(self) -> None:
        for number in count():
            if self._leaving:
                return
            name = f"{self._name}-{number}"
            request = ingestor_pb2.SubmitDocumentRequest(
                document=ingestor_pb2.Document(
                    document_id=name, text=f"The {name} valve is rated for {number} bar."
                ),
                idempotency_key=name,
            )
            reply = await self._insist(self._stubs.ingestor.SubmitDocument, request)
            self.documents[name] = reply.submission_id
            await asyncio.sleep(0.1)

    async def ask(self) -> None:
        for number in count():
            if self._leaving:
                return
            request = generator_pb2.AnswerRequest(
                question=f"What is the {self._name}-0 valve rated for?",
                idempotency_key=f"{self._name}-{number}",
            )
            reply = await self._insist(self._stubs.generator.Answer, request)
            outcome = generator_pb2.Outcome.Name(reply.outcome).removeprefix("OUTCOME_")
            self.answers[reply.interaction_id] = outcome.lower()
            self._to_vote_on.put_nowait(reply.interaction_id)
            await asyncio.sleep(0.1)

    async def vote(self) -> None:
        while (interaction_id := await self._to_vote_on.get()) is not None:
            request = feedback_pb2.SubmitFeedbackRequest(
                interaction_id=interaction_id,
                kind=feedback_pb2.KIND_THUMB,
                value="up",
                actor=self._name,
                idempotency_key=interaction_id,
            )
            reply = await self._insist(self._stubs.feedback.SubmitFeedback, request)
            self.votes[reply.feedback_id] = interaction_id

    async def _insist(self, method: Callable[..., Awaitable[ReplyT]], request: Message) -> ReplyT:
        """Any error but UNAVAILABLE ends the test."""
        while True:
            began = time.monotonic()
            try:
                return await call(method, request)
            except Unavailable as error:
                self.refusals.append((error, time.monotonic() - began))
                await asyncio.sleep(0.2)

    def done_so_far(self) -> tuple[int, int, int]:
        return len(self.documents), len(self.answers), len(self.votes)


class Stubs:
    """The front doors of the system."""

    def __init__(self, ingestor: Any, generator: Any, feedback: Any) -> None:
        self.ingestor = IngestorServiceStub(ingestor)
        self.generator = GeneratorServiceStub(generator)
        self.feedback = FeedbackServiceStub(feedback)


@asynccontextmanager
async def front_doors(system: System) -> AsyncIterator[Stubs]:
    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(channel(f"127.0.0.1:{system.ports.grpc(service)}"))
            for service in ("ingestor", "generator", "feedback-collector")
        ]
        yield Stubs(*streams)


@asynccontextmanager
async def at_work(customers: Customers) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for work in (customers.submit, customers.ask, customers.vote):
            group.create_task(work())
        yield
        customers.leave()


async def gets_on(customers: Customers) -> None:
    """Each of the three kinds of work is done a few more times."""
    before = customers.done_so_far()

    def further() -> bool:
        return all(
            now >= then + 3 for now, then in zip(customers.done_so_far(), before, strict=True)
        )

    await eventually(further, BACK_WITHIN)


async def kill(system: System, engine: str) -> None:
    """`kill -9`; returns when it and everything that needs it is ready again."""
    before = system.process(engine)
    assert before.identity is not None
    os.kill(before.identity.pid, signal.SIGKILL)

    def is_back() -> bool:
        return system.process(engine).restarts > before.restarts and system.state().ready

    await eventually(is_back, BACK_WITHIN, every=0.2)


@pytest.mark.parametrize("engine", ["kafka", "elasticsearch", "clickhouse"])
async def test_a_killed_engine_costs_and_doubles_nothing_that_was_acknowledged(
    system: System, engine: str
) -> None:
    parked_before = system.json("dlq", "list")
    async with front_doors(system) as stubs, analyst(system) as clickhouse:
        customers = Customers(f"{engine}-{uuid4().hex[:6]}", stubs)
        async with at_work(customers):
            await gets_on(customers)
            await kill(system, engine)
            await gets_on(customers)

        descriptions = [f"{error} ({seconds:.1f} s)" for error, seconds in customers.refusals]
        assert max((seconds for _, seconds in customers.refusals), default=0) < AT_ONCE, (
            descriptions
        )
        if engine == "clickhouse":
            assert not descriptions, "nobody needs ClickHouse to do their work"

        await every_document_is_searchable_once(stubs, customers)
        await every_row_is_there_once(clickhouse, customers)
    assert system.json("dlq", "list") == parked_before


async def every_document_is_searchable_once(stubs: Stubs, customers: Customers) -> None:
    async def indexed(name: str, submission_id: str) -> bool:
        request = ingestor_pb2.GetDocumentRequest(document_id=name)
        try:
            document = (await call(stubs.ingestor.GetDocument, request)).document
        except NotFound:
            return False
        events = [event for event in document.timeline if event.submission_id == submission_id]
        assert len(events) <= 1, f"{name} was indexed {len(events)} times"
        is_indexed: bool = document.state == ingestor_pb2.DOCUMENT_STATE_INDEXED
        return is_indexed and document.chunk_count == 1

    for name, submission_id in customers.documents.items():
        await eventually(lambda n=name, s=submission_id: indexed(n, s), CAUGHT_UP_WITHIN)  # type: ignore[misc]


@asynccontextmanager
async def analyst(system: System) -> AsyncIterator[AsyncClient]:
    client = await clickhouse_connect.get_async_client(
        host="127.0.0.1", port=system.ports.clickhouse, username="analyst"
    )
    yield client
    await client.close()


async def every_row_is_there_once(clickhouse: AsyncClient, customers: Customers) -> None:
    async def rows(query: str, ids: Sequence[str]) -> list[tuple[str, ...]]:
        result = await clickhouse.query(query, parameters={"ids": list(ids)})
        return sorted(tuple(map(str, row)) for row in result.result_rows)

    async def landed() -> None:
        assert await rows(
            "SELECT document_id, submission_id FROM gyre.documents FINAL"
            " WHERE document_id IN {ids:Array(String)} AND stage = 'indexed'",
            list(customers.documents),
        ) == sorted(customers.documents.items())
        assert await rows(
            "SELECT interaction_id, outcome FROM gyre.interactions FINAL"
            " WHERE interaction_id IN {ids:Array(UUID)}",
            list(customers.answers),
        ) == sorted(customers.answers.items())
        assert await rows(
            "SELECT DISTINCT interaction_id FROM gyre.judgements"
            " WHERE interaction_id IN {ids:Array(UUID)}",
            list(customers.answers),
        ) == sorted((one,) for one in customers.answers)
        assert await rows(
            "SELECT feedback_id, interaction_id FROM gyre.feedback FINAL"
            " WHERE interaction_id IN {ids:Array(UUID)}",
            list(customers.answers),
        ) == sorted(customers.votes.items())

    async def all_landed() -> bool:
        await landed()
        return True

    await eventually(all_landed, CAUGHT_UP_WITHIN, every=0.5)
