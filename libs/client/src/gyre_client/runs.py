"""Training runs, the data sets they learned from, and the facts that these are made of."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub

from gyre_client.errors import Unavailable
from gyre_client.history import only_match
from gyre_client.parts import LoopT, Part, method, stream

RUNNING = "running"

_START_SECONDS = 60.0
_CANCEL_SECONDS = 60.0
_FORGET_SECONDS = 600.0
_EXPORT_SECONDS = 600.0
_WATCH_SECONDS = 7 * 24 * 3600.0
_AWAY_SECONDS = 60.0
_PAUSE = 1.0
_WHOLE_ID = 36


class Runs(Part[LoopT]):
    """Runs that train a better version out of what people said."""

    stub, service = TrainerServiceStub, "trainer"

    @method
    async def start(
        self,
        *,
        recipe: str = "",
        role: str = "",
        profile: str = "",
        tenant: str = "",
        settings: Mapping[str, str] | None = None,
        hold: bool = False,
        resume: str = "",
        reason: str = "",
    ) -> trainer_pb2.Run:
        """Starts a run, or resumes one. `tenant` of `*` trains the default of all tenants.

        Raises:
            Conflict: another run of the same tenant and role goes on.
            FailedPrecondition: with code `training-packages-missing`, where the trainer cannot.
        """
        request = trainer_pb2.StartRunRequest(
            recipe=recipe,
            role=role,
            profile=profile,
            tenant=tenant,
            settings=settings or {},
            hold=hold,
            resume=resume,
            actor=self._actor,
            reason=reason,
        )
        reply: trainer_pb2.StartRunResponse = await self._call(
            "StartRun", request, timeout=_START_SECONDS, repeatable=False
        )
        return reply.run

    @method
    async def get(self, run_id: str) -> trainer_pb2.Run:
        """One run. Raises NotFound."""
        request = trainer_pb2.GetRunRequest(run_id=run_id)
        reply: trainer_pb2.GetRunResponse = await self._call("GetRun", request)
        return reply.run

    @method
    async def list(self) -> Sequence[trainer_pb2.Run]:
        """Newest first."""
        request = trainer_pb2.ListRunsRequest()
        reply: trainer_pb2.ListRunsResponse = await self._call("ListRuns", request)
        return reply.runs

    @method
    async def run_id(self: "Runs[None]", beginning: str) -> str:
        """The one run whose id begins so. Raises NotFound, InvalidInput."""
        if len(beginning) == _WHOLE_ID:
            return beginning
        ids = [run.run_id for run in await self.list() if run.run_id.startswith(beginning)]
        return only_match(ids, beginning, "run")

    @method
    async def cancel(self, run_id: str, *, timeout: float = _CANCEL_SECONDS) -> trainer_pb2.Run:  # noqa: ASYNC109
        """Stops a run, which can be resumed; returns it once it has stopped."""
        request = trainer_pb2.CancelRunRequest(run_id=run_id, actor=self._actor)
        reply: trainer_pb2.CancelRunResponse = await self._call(
            "CancelRun", request, timeout=timeout
        )
        return reply.run

    @stream
    async def watch(self, run_id: str) -> AsyncGenerator[trainer_pb2.Run, None]:
        """The run as it is, then after each change, until it has ended.

        A trainer that is away is waited for, for a minute; then Unavailable is raised.
        """
        request = trainer_pb2.WatchRunRequest(run_id=run_id)
        last_heard = time.monotonic()
        while True:
            try:
                async with aclosing(self._replies("WatchRun", request, _WATCH_SECONDS)) as replies:
                    async for reply in replies:
                        last_heard = time.monotonic()
                        yield reply.run
                        if reply.run.state != RUNNING:
                            return
            except Unavailable:
                if time.monotonic() - last_heard > _AWAY_SECONDS:
                    raise
            await asyncio.sleep(_PAUSE)

    @method
    async def follow(
        self: "Runs[None]", run_id: str, changed: Callable[[trainer_pb2.Run], None] | None = None
    ) -> trainer_pb2.Run:
        """The run when it has ended; `changed` is called with each change. Raises as `watch`."""
        async with aclosing(self.watch(run_id)) as changes:
            async for run in changes:
                if changed is not None:
                    changed(run)
        return run


class DataSets(Part[LoopT]):
    """Frozen data sets of the caller's tenant."""

    stub, service = TrainerServiceStub, "trainer"

    @method
    async def list(self) -> Sequence[trainer_pb2.DataSet]:
        """Newest first, without their cards."""
        request = trainer_pb2.ListDataSetsRequest()
        reply: trainer_pb2.ListDataSetsResponse = await self._call("ListDataSets", request)
        return reply.data_sets

    @method
    async def get(self, digest: str) -> trainer_pb2.DataSet:
        """One with its card, by its digest or the first 8 digits of it or more."""
        request = trainer_pb2.GetDataSetRequest(digest=digest)
        reply: trainer_pb2.GetDataSetResponse = await self._call("GetDataSet", request)
        return reply.data_set

    @stream
    async def export(
        self, digest: str, *, form: str = "", part: str = ""
    ) -> AsyncGenerator[str, None]:
        """Its examples as lines of JSON, by its digest or the first 8 digits of it or more.

        Raises:
            NotFound: there is none.
            FailedPrecondition: it is about passages, or facts that it refers to are gone.
            PermissionDenied: it quotes documents of other groups than the caller's.
        """
        request = trainer_pb2.ExportDataSetRequest(digest=digest, format=form, part=part)
        async with aclosing(self._replies("ExportDataSet", request, _EXPORT_SECONDS)) as replies:
            async for reply in replies:
                yield reply.line


class Facts(Part[LoopT]):
    """What training keeps of the caller's tenant: questions, answers, votes and corrections."""

    stub, service = TrainerServiceStub, "trainer"

    @method
    async def forget(
        self,
        *,
        actor: str = "",
        conversation_id: str = "",
        document_id: str = "",
        timeout: float = _FORGET_SECONDS,  # noqa: ASYNC109
    ) -> trainer_pb2.ForgetResponse:
        """Removes what is kept of one subject, up to now; returns how much that was.

        Raises:
            InvalidInput: none is named.
            Conflict: a run reads these facts.
        """
        subjects = {"actor": actor, "conversation_id": conversation_id, "document_id": document_id}
        request = trainer_pb2.ForgetRequest(
            **{name: value for name, value in subjects.items() if value}
        )
        reply: trainer_pb2.ForgetResponse = await self._call("Forget", request, timeout=timeout)
        return reply

    @method
    async def redact(
        self,
        since: datetime | None = None,
        *,
        timeout: float = _FORGET_SECONDS,  # noqa: ASYNC109
    ) -> trainer_pb2.RedactResponse:
        """Rewrites what is kept from then on as the tenant's choice for personal data says today;
        returns how much that was, and the versions that may have learned from it.

        Raises:
            FailedPrecondition: the choice is to keep it.
            Conflict: a run reads these facts.
        """
        request = trainer_pb2.RedactRequest()
        if since is not None:
            request.since.FromDatetime(since)
        reply: trainer_pb2.RedactResponse = await self._call("Redact", request, timeout=timeout)
        return reply
