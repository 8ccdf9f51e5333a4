"""The gRPC edge of runs: translates messages to the core's words and back."""

from collections.abc import AsyncIterator
from uuid import UUID

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from gyre.trainer.v1 import trainer_pb2
from gyre_common.errors import InvalidInput
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.training import Slice, Verdict
from gyre_common.rpc import ServicerContext, request_context
from gyre_common.signature import Signature

from gyre_trainer.runs.book import Run
from gyre_trainer.runs.conductor import Conductor
from gyre_trainer.runs.reports import Reports
from gyre_trainer.runs.starting import NewRun


class RunRpc:
    """StartRun, GetRun, ListRuns, WatchRun and CancelRun of gyre.trainer.v1.TrainerService."""

    def __init__(self, conductor: Conductor, reports: Reports) -> None:
        self._conductor = conductor
        self._reports = reports

    async def StartRun(
        self, request: trainer_pb2.StartRunRequest, context: ServicerContext
    ) -> trainer_pb2.StartRunResponse:
        """Starts a run, or resumes one."""
        if request.resume:
            run = await self._conductor.resume(
                _run_id(request.resume),
                request_context().tenant,
                Signature(actor=request.actor, reason=request.reason),
            )
        else:
            run = await self._conductor.start(_new_run(request))
        return trainer_pb2.StartRunResponse(run=await run_message(run, self._reports))

    async def GetRun(
        self, request: trainer_pb2.GetRunRequest, context: ServicerContext
    ) -> trainer_pb2.GetRunResponse:
        """One run, with its report."""
        run = self._conductor.run(_run_id(request.run_id), request_context().tenant)
        return trainer_pb2.GetRunResponse(run=await run_message(run, self._reports))

    async def ListRuns(
        self, request: trainer_pb2.ListRunsRequest, context: ServicerContext
    ) -> trainer_pb2.ListRunsResponse:
        """Newest first, without their reports."""
        runs = self._conductor.runs(request_context().tenant)
        return trainer_pb2.ListRunsResponse(runs=map(_run, runs))

    async def WatchRun(
        self, request: trainer_pb2.WatchRunRequest, context: ServicerContext
    ) -> AsyncIterator[trainer_pb2.WatchRunResponse]:
        """The run as it is, then after each change."""
        watched = self._conductor.watch(_run_id(request.run_id), request_context().tenant)
        async for run in watched:
            yield trainer_pb2.WatchRunResponse(run=await run_message(run, self._reports))

    async def CancelRun(
        self, request: trainer_pb2.CancelRunRequest, context: ServicerContext
    ) -> trainer_pb2.CancelRunResponse:
        """Stops a run."""
        run = await self._conductor.cancel(
            _run_id(request.run_id), request_context().tenant, request.actor
        )
        return trainer_pb2.CancelRunResponse(run=await run_message(run, self._reports))


async def run_message(run: Run, reports: Reports) -> trainer_pb2.Run:
    """A run with its report, where the store can give it."""
    message = _run(run)
    report = await reports.of(run)
    if report is not None:
        message.report.CopyFrom(ParseDict(report.content, Struct()))
        if not message.HasField("verdict") and report.verdict is not None:
            message.verdict.CopyFrom(_verdict(report.verdict))
    return message


def _new_run(request: trainer_pb2.StartRunRequest) -> NewRun:
    caller = request_context().tenant
    if request.tenant not in ("", EVERY_TENANT, caller):
        raise InvalidInput(
            "tenant", "is another one's", "train your own (empty), or `*` for the default of all"
        )
    return NewRun(
        tenant=request.tenant or caller,
        actor=request.actor,
        recipe=request.recipe,
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
    finished = run.finished
    return trainer_pb2.Run(
        run_id=str(run.run_id),
        tenant=run.tenant,
        recipe=run.recipe,
        role=run.role,
        profile=run.profile,
        state=run.state,
        stage=run.stage,
        step=run.step,
        steps=run.steps,
        metrics=run.metrics,
        message=run.message,
        data_set=(finished.data_set if finished else None) or "",
        base=(finished.base if finished else None) or "",
        version=(finished.version if finished else None) or "",
        actor=run.actor,
        reason=run.reason,
        started_at=run.started_at,
        finished_at=finished.finished_at if finished else None,
        votes=finished.votes if finished else 0,
        last_vote_at=finished.last_vote_at if finished else None,
        verdict=_verdict(finished.verdict) if finished and finished.verdict else None,
    )


def _verdict(verdict: Verdict) -> trainer_pb2.Verdict:
    return trainer_pb2.Verdict(
        metric=verdict.metric,
        decision=verdict.decision,
        summary=verdict.summary,
        reasons=verdict.reasons,
        slices=map(_slice, verdict.slices),
    )


def _slice(one: Slice) -> trainer_pb2.Slice:
    return trainer_pb2.Slice(**one.model_dump(exclude_none=True))
