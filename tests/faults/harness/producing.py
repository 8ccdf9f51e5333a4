"""Clients of the delivery run: each owns some keys, and notes what it was promised."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from gyre_common.events.topic import Topic

from tests.batches import CODECS, a_batch, send_batch
from tests.bus_contract import MessageSent
from tests.faults.harness.history import Act, HistoryWriter, Kind
from tests.faults.harness.shapes import SHAPES, a_message, needs_several_calls

CLIENTS = 4
_KEYS = 25
_TENANTS = 3
_AT_ONCE = 100
_PAUSE = 0.02
_RETRY_PAUSE = 0.2
_NO_MESSAGE = b'{"no": "message"}'


class Producers:
    """Open it, `send`; the other methods may be called meanwhile."""

    def __init__(
        self,
        servers: str,
        topics: Mapping[str, Topic[MessageSent]],
        chance: random.Random,
        history: Path,
    ) -> None:
        self.acknowledged = 0
        self.ids: set[str] = set()
        self._servers = servers
        self._topics = topics
        self._chance = chance
        self._path = history
        self._number = 0
        self._last: list[tuple[str, Act]] = []
        self._stack = AsyncExitStack()
        self._producer: AIOKafkaProducer
        self._history: HistoryWriter

    async def __aenter__(self) -> Self:
        self._history = self._stack.enter_context(HistoryWriter(self._path))
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True
        )
        await self._stack.enter_async_context(self._producer)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def send(self, actions: int, has_room: Callable[[], bool]) -> None:
        """So many acts; it waits while there is no room. Returns once all are acknowledged."""
        async with asyncio.TaskGroup() as clients:
            for client in range(CLIENTS):
                clients.create_task(self._send_as(client, actions // CLIENTS, has_room))

    async def _send_as(self, client: int, count: int, has_room: Callable[[], bool]) -> None:
        for first in range(0, count, _AT_ONCE):
            while not has_room():
                await asyncio.sleep(_PAUSE)
            await self._deliver(self._new_acts(min(_AT_ONCE, count - first), client))

    def _new_acts(self, count: int, client: int, *, poison: bool = False) -> list[tuple[str, Act]]:
        """Each with its shape. Keys are the client's own, so that they have an order."""
        chance = self._chance
        acts = []
        for _ in range(count):
            key, shape = chance.randrange(_KEYS), chance.choice(SHAPES)
            is_long = needs_several_calls(shape, self._number)
            act = Act(
                kind=Kind.SUBMIT,
                tenant=f"t{key % _TENANTS}",
                key=f"long-{self._number}" if is_long else f"c{client}-{key}",
                id=str(UUID(int=chance.getrandbits(128), version=4)),
                value=str(self._number),
                at=time.time(),
                poison=poison,
            )
            self._number += 1
            acts.append((shape, act))
        return acts

    async def _deliver(self, acts: Sequence[tuple[str, Act]]) -> None:
        """Until all are acknowledged: again with the same ids where Kafka did not say."""
        self._history.write(*(act for _, act in acts))
        left = list(acts)
        while left:
            results = await asyncio.gather(
                *(self._put(shape, act) for shape, act in left), return_exceptions=True
            )
            at = time.time()
            failed, promised = [], []
            for each, result in zip(left, results, strict=True):
                if result is None:
                    promised.append(replace(each[1], acknowledged_at=at))
                elif isinstance(result, KafkaError | OSError):
                    failed.append(each)
                else:
                    raise result
            self._history.write(*promised)
            self.ids.update(act.id for act in promised)
            self.acknowledged += len(promised)
            left = failed
            if left:
                await asyncio.sleep(_RETRY_PAUSE)
        self._last = list(acts)

    async def _put(self, shape: str, act: Act) -> None:
        topic, event = self._topics[shape], a_message(act)
        value = _NO_MESSAGE if act.poison else event.to_json()
        headers = [("ce_id", act.id.encode()), ("odd", b"\xff")]
        await self._producer.send_and_wait(
            topic.name, value, topic.key(event).encode(), headers=headers
        )

    async def send_again(self, count: int) -> None:
        """Some that were sent last, as a client does that did not hear the answer."""
        again = self._last[:count]
        await asyncio.gather(*(self._put(shape, act) for shape, act in again))

    async def send_poison(self, count: int) -> None:
        """Records that nobody can decode, among the others."""
        await self._deliver(self._new_acts(count, CLIENTS, poison=True))

    async def send_hostile(self) -> None:
        """A batch by every codec to every topic, with names of headers that are not UTF-8."""
        for codec in CODECS:
            for shape, topic in self._topics.items():
                acts = [act for _, act in self._new_acts(2, CLIENTS + 1)]
                self._history.write(*acts)
                records: list[Any] = [
                    (
                        topic.key(a_message(act)).encode(),
                        a_message(act).to_json(),
                        [("na~me", b"\xfe"), ("ce_id", act.id.encode()), ("none", None)],
                    )
                    for act in acts
                ]
                batch = a_batch(*records, codec=codec)
                await send_batch(self._servers, topic.name, batch, partition=SHAPES.index(shape))
                at = time.time()
                self._history.write(*(replace(act, acknowledged_at=at) for act in acts))
                self.ids.update(act.id for act in acts)
                self.acknowledged += len(acts)
