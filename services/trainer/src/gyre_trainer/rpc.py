"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any
from uuid import UUID

from google.protobuf.json_format import Parse, ParseDict
from google.protobuf.struct_pb2 import Struct
from gyre.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from gyre_common.errors import InvalidInput
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.training import TrainingFinished, Verdict
from gyre_common.rpc import ServicerContext, request_context
from gyre_common.signature import Signature
from gyre_common.store import Store

from gyre_trainer.data_sets.data_set_store import DataSetStore, StoredDataSet
from gyre_trainer.data_sets.exporting import Exporting
from gyre_trainer.forgetting import Forgetting
from gyre_trainer.recipes import RECIPES
from gyre_trainer.runs.book import Run
from gyre_trainer.runs.conductor import Conductor
from gyre_trainer.runs.endings import report_of
from gyre_trainer.runs.starting import NewRun
from gyre_trainer.segments.erasure import Subject, SubjectKind

_SUBJECT_KINDS = {
    "actor": SubjectKind.ACTOR,
    "conversation_id": SubjectKind.CONVERSATION,
    "document_id": SubjectKind.DOCUMENT,
}
_FIXED_AT_START = ("recipe", "role", "profile", "tenant", "settings", "hold")
_OF_THE_END = {"data_set", "base", "version", "finished_at", "votes", "last_vote_at"}
_OF_A_VERDICT = {"metric", "explanation", "decision", "summary", "reasons", "slices"}


class TrainerRpc(trainer_pb2_grpc.TrainerServiceServicer):
    """Serves gyre.trainer.v1.TrainerService."""

    def __init__(
        self,
        conductor: Conductor,
        store: Store,
        data_sets: DataSetStore,
        exporting: Exporting,
        forgetting: Forgetting,
    ) -> None:
        self._conductor = conductor
        self._store = store
        self._data_sets = data_sets
        self._exporting = exporting
        self._forgetting = forgetting

    async def StartRun(
        self, request: trainer_pb2.StartRunRequest, context: ServicerContext
    ) -> trainer_pb2.StartRunResponse:
        """Starts a run, or resumes one."""
        if request.resume:
            for field in _FIXED_AT_START:
                if getattr(request, field):
                    fix = "a resumed run keeps its settings: start a new one"
                    raise InvalidInput(field, "cannot change", fix)
            run = await self._conductor.resume(
                self._run_to_change(request.resume),
                request_context().tenant,
                Signature(actor=request.actor, reason=request.reason),
            )
        else:
            run = await self._conductor.start(_new_run(request))
        return trainer_pb2.StartRunResponse(run=await run_message(run, self._store))

    async def GetRun(
        self, request: trainer_pb2.GetRunRequest, context: ServicerContext
    ) -> trainer_pb2.GetRunResponse:
        """One run, with its report."""
        run = self._conductor.book.run(_run_id(request.run_id), request_context().tenant)
        return trainer_pb2.GetRunResponse(run=await run_message(run, self._store))

    async def ListRuns(
        self, request: trainer_pb2.ListRunsRequest, context: ServicerContext
    ) -> trainer_pb2.ListRunsResponse:
        """Newest first, without their reports."""
        runs = self._conductor.book.runs(request_context().tenant)
        return trainer_pb2.ListRunsResponse(runs=map(_run, runs))

    async def WatchRun(
        self, request: trainer_pb2.WatchRunRequest, context: ServicerContext
    ) -> AsyncIterator[trainer_pb2.WatchRunResponse]:
        """The run as it is, then after each change."""
        watched = self._conductor.book.watch(_run_id(request.run_id), request_context().tenant)
        async for run in watched:
            yield trainer_pb2.WatchRunResponse(run=await run_message(run, self._store))

    async def CancelRun(
        self, request: trainer_pb2.CancelRunRequest, context: ServicerContext
    ) -> trainer_pb2.CancelRunResponse:
        """Stops a run."""
        run = await self._conductor.cancel(
            self._run_to_change(request.run_id), request_context().tenant, request.actor
        )
        return trainer_pb2.CancelRunResponse(run=await run_message(run, self._store))

    def _run_to_change(self, text: str) -> UUID:
        """Of one that the caller may stop or resume. Raises NotFound; PermissionDenied: it is
        everybody's.
        """
        run_id, caller = _run_id(text), request_context()
        if self._conductor.book.run(run_id, caller.tenant).tenant == EVERY_TENANT:
            caller.check_is_for_every_tenant()
        return run_id

    async def ListDataSets(
        self, request: trainer_pb2.ListDataSetsRequest, context: ServicerContext
    ) -> trainer_pb2.ListDataSetsResponse:
        """The caller's and those of all tenants together, newest first, without their cards."""
        own, shared = request_context().tenant, EVERY_TENANT
        data_sets = [
            *await self._data_sets.of_tenant(own),
            *await self._data_sets.of_tenant(shared),
        ]
        data_sets.sort(key=lambda stored: stored.frozen_at, reverse=True)
        return trainer_pb2.ListDataSetsResponse(data_sets=map(_data_set, data_sets))

    async def GetDataSet(
        self, request: trainer_pb2.GetDataSetRequest, context: ServicerContext
    ) -> trainer_pb2.GetDataSetResponse:
        """One, with its card."""
        stored = await self._data_sets.of_caller(request_context().tenant, request.digest)
        message = _data_set(stored)
        message.card.CopyFrom(ParseDict(stored.card, Struct()))
        return trainer_pb2.GetDataSetResponse(data_set=message)

    async def ExportDataSet(
        self, request: trainer_pb2.ExportDataSetRequest, context: ServicerContext
    ) -> AsyncIterator[trainer_pb2.ExportDataSetResponse]:
        """Line by line."""
        lines = await self._exporting.lines(
            request.digest, caller=request_context(), form=request.format, part=request.part
        )
        for line in lines:
            yield trainer_pb2.ExportDataSetResponse(line=line)

    async def Forget(
        self, request: trainer_pb2.ForgetRequest, context: ServicerContext
    ) -> trainer_pb2.ForgetResponse:
        """Forgets somebody or something of the caller's tenant."""
        named = request.WhichOneof("subject")
        if named is None:
            raise InvalidInput("subject", "is missing", f"send one of {', '.join(_SUBJECT_KINDS)}")
        subject = Subject(request_context().tenant, _SUBJECT_KINDS[named], getattr(request, named))
        return trainer_pb2.ForgetResponse(**vars(await self._forgetting.forget(subject)))

    async def Redact(
        self, request: trainer_pb2.RedactRequest, context: ServicerContext
    ) -> trainer_pb2.RedactResponse:
        """Rewrites what training keeps of the caller's tenant as its choice says."""
        tenant = request_context().tenant
        since = request.since.ToDatetime(tzinfo=UTC)
        done = await self._forgetting.redact(tenant, since)
        return trainer_pb2.RedactResponse(
            **vars(done),
            versions=[
                _trained(run, run.finished)
                for run in self._conductor.book.runs(tenant)
                if run.started_at >= since and run.finished and run.finished.version
            ],
        )


async def run_message(run: Run, store: Store) -> trainer_pb2.Run:
    """A run with its report, where the store can give it."""
    message = _run(run)
    report = await report_of(run, store)
    if report is not None:
        Parse(report, message.report)
        recipe = RECIPES.get(run.recipe)
        # Runs of before have their verdict nowhere else.
        if not message.HasField("verdict") and recipe and (verdict := recipe.verdict_in(report)):
            message.verdict.CopyFrom(trainer_pb2.Verdict(**_verdict_fields(verdict)))
    return message


def _new_run(request: trainer_pb2.StartRunRequest) -> NewRun:
    caller = request_context()
    if request.tenant not in ("", EVERY_TENANT, caller.tenant):
        raise InvalidInput(
            "tenant", "is another one's", "train your own (empty), or `*` for the default of all"
        )
    if request.tenant == EVERY_TENANT:
        caller.check_is_for_every_tenant()
    return NewRun(
        tenant=request.tenant or caller.tenant,
        actor=request.actor,
        recipe=request.recipe,
        role=request.role,
        profile=request.profile,
        settings=dict(request.settings),
        hold=request.hold,
        reason=request.reason,
    )


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidInput("run_id", "is not one", "copy it from `gyre runs`") from error


def _run(run: Run) -> trainer_pb2.Run:
    fields = run.model_dump(exclude={"run_id", "finished"})
    if finished := run.finished:
        fields |= finished.model_dump(include=_OF_THE_END, exclude_none=True)
        if finished.verdict:
            fields["verdict"] = _verdict_fields(finished.verdict)
    return trainer_pb2.Run(run_id=str(run.run_id), **fields)


def _trained(run: Run, finished: TrainingFinished) -> trainer_pb2.TrainedVersion:
    return trainer_pb2.TrainedVersion(
        role=run.role,
        version=finished.version,
        run_id=str(run.run_id),
        tenant=run.tenant,
        started_at=run.started_at,
    )


def _verdict_fields(verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(include=_OF_A_VERDICT, exclude_none=True)


def _data_set(stored: StoredDataSet) -> trainer_pb2.DataSet:
    listed = {name: value for name, value in vars(stored).items() if name not in ("card", "files")}
    return trainer_pb2.DataSet(**listed)
