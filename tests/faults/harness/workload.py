"""Clients of a whole system: they submit, ask, vote and release until each act is acknowledged."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import aiohttp
from gyre.feedback.v1 import feedback_pb2
from gyre.ingestor.v1 import ingestor_pb2
from gyre_client import AsyncClient, GyreError, InvalidInput

from tests.faults.harness.history import Act, HistoryWriter, Kind
from tests.faults.harness.planned_acts import (
    ROLE,
    TENANTS,
    VERSIONS,
    DocumentAct,
    Mix,
    VoteAct,
    planned_documents,
    planned_release,
    planned_vote,
    question_of,
)

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds until a client gives up; what became of the act is unknown then."""

_PAUSE = 0.2
_ANSWER_SECONDS, _HTTP_SECONDS = 30.0, 30.0
_WORKERS = {"documents": 2, "answers": 4, "votes": 8, "releases": 1}
_BY_GATEWAY = 8
_VOTED_ON = 50
_AHEAD = 0.02
"""The share of its acts by which one kind may be ahead of the answers."""

_KINDS = {
    "thumb": feedback_pb2.KIND_THUMB,
    "rating": feedback_pb2.KIND_RATING,
    "chunk": feedback_pb2.KIND_CHUNK,
}


@dataclass(frozen=True)
class Answered:
    """An answer that was given, to be voted on; `chunk` is a passage that was shown, or empty."""

    id: str
    tenant: str
    chunk: str = ""


class Customers:
    """All clients of a run. What `past` holds was done in an earlier part of it.

    Attributes:
        in_flight: calls that wait for a reply now, by service.
        acknowledged: acts by kind of work: documents, answers, votes, releases.
        errors: replies that were no acknowledgement, by service and kind of error.
        refused: what breaks the contract, or was given up: the run is worth nothing.
        may_begin: the share of the work that may have begun; who injects faults moves it on.
        hurried: releases do not wait for their turn.
    """

    def __init__(
        self, client: AsyncClient, gateway: str, history: HistoryWriter, seed: int, actions: int
    ) -> None:
        self.mix = Mix.of(actions)
        self.in_flight: Counter[str] = Counter()
        self.acknowledged: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.refused: list[str] = []
        self.may_begin = 0.0
        self.hurried = False
        self.waiting: Counter[str] = Counter()
        self.working: Counter[str] = Counter()
        self._clients = {tenant: client.with_caller(tenant=tenant) for tenant in TENANTS}
        self._gateway = gateway
        self._history = history
        self._seed = seed
        self._documents = planned_documents(seed, self.mix.documents)
        self._answered: list[Answered] = []
        self._done: set[str] = set()
        self._begun: Counter[str] = Counter()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def actions(self) -> int:
        """How many were acknowledged, releases not counted."""
        return sum(self.acknowledged[each] for each in ("documents", "answers", "votes"))

    def go_on_after(self, past: Sequence[Act]) -> None:
        """Do not do again what was acknowledged."""
        work = {Kind.ANSWER: "answers", Kind.VOTE: "votes", Kind.RELEASE: "releases"}
        for act in past:
            if act.acknowledged_at is not None:
                self._done.add(act.id)
                self.acknowledged[work.get(act.kind, "documents")] += 1
                if act.kind is Kind.ANSWER:
                    self._answered.append(Answered(act.value, act.tenant))

    async def register_versions(self) -> None:
        """What releases go between; there already where the run goes on."""
        for tenant in self._clients:
            client = self._releaser(tenant)
            registered = (await client.releases.list(ROLE, tenant=tenant))[ROLE].artifacts
            names = {artifact.version for artifact in registered}
            for number, version in enumerate(VERSIONS):
                if version not in names:
                    settings = {"candidates": str(40 + number)}
                    await client.releases.register(
                        ROLE, version, settings, reason="a fault run", tenant=tenant
                    )

    async def work(self) -> None:
        """Returns when every act was acknowledged or given up."""
        totals = vars(self.mix)
        doings = {
            "documents": self._submit,
            "answers": self._ask,
            "votes": self._vote,
            "releases": self._release,
        }
        async with aiohttp.ClientSession() as self._http, asyncio.TaskGroup() as group:
            for name, workers in _WORKERS.items():
                for _ in range(workers):
                    group.create_task(self._pool(name, totals[name], doings[name]))

    def progress(self) -> dict[str, tuple[int, bool]]:
        """By kind of work, how much was acknowledged, and whether anybody tries to do more."""
        return {
            name: (self.acknowledged[name], self.working[name] > self.waiting[name])
            for name in _WORKERS
        }

    async def _pool(self, name: str, total: int, do: Callable[[int], Awaitable[None]]) -> None:
        self.working[name] += 1
        while (number := self._begun[name]) < total:
            self._begun[name] += 1
            self.waiting[name] += 1
            while not self._may_begin(name, number / total):
                await asyncio.sleep(0.05)
            self.waiting[name] -= 1
            await do(number)
        self.working[name] -= 1

    def _may_begin(self, name: str, share: float) -> bool:
        if name == "releases" and self.hurried:
            return True
        answers = self.acknowledged["answers"] / max(1, self.mix.answers)
        ahead = name == "answers" or share <= answers + _AHEAD
        return share <= self.may_begin and ahead and (name != "votes" or bool(self._answered))

    async def _submit(self, number: int) -> None:
        planned = self._documents[number]
        async with self._turns[planned.document]:
            act = self._new(planned.kind, planned.tenant, planned.document, planned.id)
            await self._do(
                "ingestor",
                "documents",
                replace(act, value=planned.value),
                lambda: self._clients[planned.tenant].documents.submit(
                    _document(planned), idempotency_key=planned.id
                ),
            )

    async def _ask(self, number: int) -> None:
        tenant, question = question_of(self._seed, number)
        act_id = f"answer-act-{self._seed}-{number}"
        client = self._clients[tenant].with_caller(actor=act_id)
        reply = await self._do(
            "generator",
            "answers",
            self._new(Kind.ANSWER, tenant, act_id, act_id),
            lambda: client.answers.ask(question, idempotency_key=act_id, timeout=_ANSWER_SECONDS),
            value=lambda reply: reply.interaction_id,
        )
        if reply is not None:
            chunk = reply.passages[0].chunk_id if reply.passages else ""
            self._answered.append(Answered(reply.interaction_id, tenant, chunk))

    async def _vote(self, number: int) -> None:
        vote = planned_vote(self._seed, number)
        latest = self._answered[-_VOTED_ON:]
        answered = random.Random(f"{self._seed} target {number}").choice(latest)
        target = answered.chunk if vote.kind == "chunk" else ""
        if vote.kind == "chunk" and not target:
            vote = replace(vote, kind="thumb")
        key = f"{answered.id}/{vote.kind}/{target or 'answer'}/{vote.actor}"
        by_gateway = number % _BY_GATEWAY == 0

        async def call() -> object:
            if by_gateway:
                return await self._vote_on_page(answered, vote, target)
            request = feedback_pb2.SubmitFeedbackRequest(
                interaction_id=answered.id,
                kind=_KINDS[vote.kind],
                value=vote.word,
                target=target,
                comment=vote.id,
                actor=vote.actor,
                idempotency_key=vote.id,
            )
            return await self._clients[answered.tenant].feedback.record(request)

        async with self._turns[key]:
            act = self._new(Kind.VOTE, answered.tenant, key, vote.id)
            door = "gateway" if by_gateway else "feedback-collector"
            await self._do(door, "votes", replace(act, value=vote.value), call)

    async def _vote_on_page(self, answered: Answered, vote: VoteAct, target: str) -> object:
        body = {"interaction_id": answered.id, "value": vote.word, "comment": vote.id}
        headers = {
            "gyre-tenant": answered.tenant,
            "gyre-actor": vote.actor,
            "idempotency-key": vote.id,
        }
        async with self._http.post(
            f"{self._gateway}/v1/feedback",
            json=body | ({"chunk_id": target} if target else {}),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=_HTTP_SECONDS),
        ) as reply:
            reply.raise_for_status()
            return await reply.json()

    async def _release(self, number: int) -> None:
        act_id, tenant, version = planned_release(self._seed, number)
        client = self._releaser(tenant)

        async def call() -> object:
            release = (await client.releases.list(ROLE, tenant=tenant))[ROLE]
            if release.reason == act_id:  # an attempt before this one did it
                return release
            return await client.releases.promote(
                ROLE,
                version,
                reason=act_id,
                override=True,
                generation=release.generation,
                tenant=tenant,
            )

        async with self._turns[tenant]:
            act = replace(self._new(Kind.RELEASE, tenant, ROLE, act_id), value=version)
            await self._do("releases", "releases", act, call)

    def _releaser(self, tenant: str) -> AsyncClient:
        return self._clients[tenant].with_caller(actor="fault-run")

    def _new(self, kind: Kind, tenant: str, key: str, act_id: str) -> Act:
        return Act(kind=kind, tenant=tenant, key=key, id=act_id, value="", at=time.time())

    async def _do(
        self,
        door: str,
        work: str,
        act: Act,
        call: Callable[[], Awaitable[T]],
        value: Callable[[T], str] | None = None,
    ) -> T | None:
        """The reply, with the act on record; None where nobody knows, or it was done before."""
        if act.id in self._done:
            return None
        await asyncio.to_thread(self._history.write, act)
        reply = await self._insist(door, act.id, call)
        if reply is None:
            return None
        shown = act.value if value is None else value(reply)
        acknowledged = replace(act, value=shown, acknowledged_at=time.time())
        await asyncio.to_thread(self._history.write, acknowledged)
        self.acknowledged[work] += 1
        return reply

    async def _insist(self, door: str, act_id: str, call: Callable[[], Awaitable[T]]) -> T | None:
        deadline = time.monotonic() + PATIENCE
        while True:
            self.in_flight[door] += 1
            try:
                return await call()
            except InvalidInput as error:
                self.refused.append(f"{act_id} was refused: {error}")
                return None
            except aiohttp.ClientResponseError as error:
                self.errors[f"{door}: HTTP {error.status}"] += 1
            except (GyreError, aiohttp.ClientError, TimeoutError) as error:
                self.errors[f"{door}: {type(error).__name__}"] += 1
            finally:
                self.in_flight[door] -= 1
            if time.monotonic() > deadline:
                self.refused.append(f"{act_id} was given up after {PATIENCE:g} s")
                return None
            await asyncio.sleep(_PAUSE)


def _document(planned: DocumentAct) -> ingestor_pb2.Document:
    return ingestor_pb2.Document(
        document_id=planned.document,
        text=planned.text,
        deleted=not planned.text,
        metadata={"act": planned.id},
    )
