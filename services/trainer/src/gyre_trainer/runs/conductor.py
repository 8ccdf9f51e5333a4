"""Leads runs from verb to verb, beside all else that the trainer does."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self
from uuid import UUID

from gyre_common.errors import Conflict, FailedPrecondition, GyreError, Retryable
from gyre_common.events.event import EVERY_TENANT, new_id, now
from gyre_common.events.publisher import Publisher
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_PROGRESSED,
    TRAINING_STARTED,
    RunOutcome,
    TrainingFinished,
    TrainingStarted,
)
from gyre_common.retrying import retry
from gyre_common.signature import Signature

from gyre_trainer.runs.book import RESUMABLE, Run, RunBook
from gyre_trainer.runs.endings import (
    RunEnding,
    candidate_of,
    finished_event,
    interrupted_event,
    judged_ending,
    progressed_event,
    stopped_ending,
)
from gyre_trainer.runs.failures import failure_line
from gyre_trainer.runs.folder import ProgressLine, RunFolder, RunFolders, RunSpec
from gyre_trainer.runs.registry import Registry
from gyre_trainer.runs.starting import NewRun, RunStarter, check_signature
from gyre_trainer.runs.verbs import EXPORT, WAITING, Follower, RunVerb, Verb, run_verb, verbs_of

log = logging.getLogger(__name__)

_LONGEST_REASON = 1000
_STARTING = "its program is being started"
_WAITING = ProgressLine(
    stage=WAITING,
    message="another run trains on this machine: this one goes on when that is over",
)


@dataclass
class _Job:
    """`ending`: from now on it ends by itself; a verdict that is told cannot be called off."""

    task: asyncio.Task[None]
    stopped_by: str = ""
    ending: bool = False


@dataclass(frozen=True)
class Tools:
    """What the conductor leads runs with. `workers` are the processes of one training."""

    starter: RunStarter
    folders: RunFolders
    registry: Registry
    run_verb: RunVerb = run_verb
    workers: int = 2


class Conductor:
    """One run at a time for each role of each tenant; one trains while others wait for the machine.
    The only writer of training.* events: first to the topics, then to the book. A run ends with one
    event that says how. Entering ends the runs that an earlier trainer left behind; leaving stops
    those that go on, and they can be resumed.
    """

    def __init__(self, book: RunBook, publisher: Publisher, tools: Tools) -> None:
        self.book = book
        self._publisher = publisher
        self._tools = tools
        self._jobs: dict[UUID, _Job] = {}
        self._starting = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        for run in self.book.unfinished():
            folder = self._tools.folders.folder(run.run_id)
            await self._record_end(interrupted_event(run, folder))
        await asyncio.to_thread(self._tools.folders.tidy)
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        for job in self._jobs.values():
            job.task.cancel()
        await self._group.__aexit__(None, None, None)

    async def start(self, new: NewRun) -> Run:
        """Begin a run; it goes on by itself. Raises as `RunStarter.check` and `RunStarter.spec`
        do, and Conflict: another run trains the same role of the same tenant.
        """
        recipe = self._tools.starter.check(new)
        self.book.check_free(new.tenant, recipe.role)
        async with self._starting:
            self.book.check_free(new.tenant, recipe.role)
            spec = await self._tools.starter.spec(new)
            self._tools.folders.create(spec)
            return await self._begin(spec, Signature(actor=spec.actor, reason=spec.reason))

    async def resume(self, run_id: UUID, tenant: str, by: Signature) -> Run:
        """Raises as `start`, NotFound, and FailedPrecondition when there is nothing to resume."""
        check_signature(by)
        run = self.book.run(run_id, tenant)
        self._tools.starter.check_packages(self._tools.starter.recipe(run.recipe))
        async with self._starting:
            run = self.book.run(run_id, tenant)
            self.book.check_free(run.tenant, run.role)
            if run.state not in RESUMABLE:
                raise FailedPrecondition(
                    f"run {run_id} is over ({run.state}): start another one with `gyre train`"
                )
            with self._tools.folders.claim(run_id) as folder:
                spec = folder.spec()
            return await self._begin(spec, by, resumed=True)

    async def cancel(self, run_id: UUID, tenant: str, actor: str) -> Run:
        """Returns once nothing of it runs. One whose gate has spoken is waited for."""
        run = self.book.run(run_id, tenant)
        job = self._jobs.get(run_id)
        if job is not None:
            if not job.ending and not job.stopped_by:
                job.stopped_by = actor or "somebody"
                job.task.cancel()
            await asyncio.wait([job.task])
            run = self.book.run(run_id, tenant)
        return run

    @asynccontextmanager
    async def without_runs(self, tenant: str) -> AsyncIterator[None]:
        """No run of the tenant (`*`: of any) begins inside. Raises Conflict while one goes on."""
        async with self._starting:
            for run in self.book.unfinished():
                if EVERY_TENANT in (tenant, run.tenant) or tenant == run.tenant:
                    raise Conflict(
                        f"run {run.run_id} reads these facts: wait for its end, or stop it with "
                        f"`gyre runs {run.run_id} --cancel`"
                    )
            yield

    async def _begin(self, spec: RunSpec, by: Signature, *, resumed: bool = False) -> Run:
        fields = dict(spec) | {"resumed": resumed, "actor": by.actor, "reason": by.reason}
        if resumed:
            fields["started_at"] = now()
        started = TrainingStarted.model_validate(fields)

        async def begin() -> Run:
            await self._publisher.publish(TRAINING_STARTED, started)
            self.book.apply([started])
            # Who asked for the run has a deadline, a tenant and a trace; the run has its own.
            task = self._group.create_task(
                self._run_to_end(spec), name=f"run {spec.run_id}", context=contextvars.Context()
            )
            self._jobs[spec.run_id] = _Job(task)
            return self.book.run(spec.run_id, spec.tenant)

        # What is being written down happens, even if whoever asked for it leaves meanwhile.
        return await asyncio.shield(asyncio.create_task(begin()))

    async def _run_to_end(self, spec: RunSpec) -> None:
        job, folder = self._jobs[spec.run_id], self._tools.folders.folder(spec.run_id)
        try:
            ending = await self._claim_and_run(spec, job)
        except asyncio.CancelledError:
            ending = stopped_ending(spec.run_id, by=job.stopped_by)
        except GyreError as error:
            ending = RunEnding(RunOutcome.FAILED, failure_line(error, str(spec.run_id)))
        except Exception as error:
            # The edge of a run: a bug in it must not end the others and the collector.
            log.exception("run crashed", extra={"run": str(spec.run_id)})
            ending = RunEnding(RunOutcome.FAILED, f"unexpected {type(error).__name__}: {error}")
        job.ending = True
        log.info("run ended", extra={"run": str(spec.run_id), "outcome": ending.outcome.value})
        try:
            await self._record_end(finished_event(spec, folder, ending))
            await asyncio.to_thread(self._tools.folders.tidy)
        except Exception:
            # What the topic has no end of counts as running until the next trainer starts.
            log.exception("the end of a run failed", extra={"run": str(spec.run_id)})
        finally:
            # By now somebody may have resumed it.
            if self._jobs.get(spec.run_id) is job:
                del self._jobs[spec.run_id]

    async def _claim_and_run(self, spec: RunSpec, job: _Job) -> RunEnding:
        with self._tools.folders.claim(spec.run_id) as folder:
            if self._turn.locked():
                await self._report_progress(spec, _WAITING)
            async with self._turn:
                await self._run_verbs(spec, folder)
            job.ending = True
            return judged_ending(folder)

    async def _run_verbs(self, spec: RunSpec, folder: RunFolder) -> None:
        recipe = self._tools.starter.recipe(spec.recipe)
        workers, minutes = self._tools.workers, spec.verb_minutes
        variants = recipe.variants_of(spec.settings)
        for verb in verbs_of(recipe, folder, variants=variants, workers=workers, minutes=minutes):
            if not verb.done:
                await self._run_verb(verb, folder, spec)
            if verb.name == EXPORT:
                await self._register_candidate(spec, folder)
                await asyncio.to_thread(folder.drop_checkpoints, variants)

    async def _run_verb(self, verb: Verb, folder: RunFolder, spec: RunSpec) -> None:
        # Its own first word takes a while: it loads programs and models.
        await self._report_progress(spec, ProgressLine(stage=verb.stage, message=_STARTING))
        follower = Follower(folder.progress_file, partial(self._report_progress, spec))
        following = asyncio.create_task(follower.follow())
        try:
            await self._tools.run_verb(verb, folder)
        finally:
            following.cancel()
            await asyncio.wait([following])
        await follower.look(last=True)

    async def _report_progress(self, spec: RunSpec, line: ProgressLine) -> None:
        event = progressed_event(spec, line)
        try:
            await self._publisher.publish(TRAINING_PROGRESSED, event)
        except Retryable as error:  # not worth a run
            log.warning("progress not published", extra={"cause": str(error)})
        self.book.apply([event])

    async def _record_end(self, event: TrainingFinished) -> None:
        """Returns once it is safe on the topic, however long that takes."""
        event_id = new_id()
        await retry(
            lambda: self._publisher.publish(TRAINING_FINISHED, event, event_id=event_id),
            Retryable,
            first=0.5,
            longest=10.0,
            on_pause=lambda error, _: log.warning(
                "a run's end waits for Kafka", extra={"cause": str(error)}
            ),
        )
        self.book.apply([event])

    async def _register_candidate(self, spec: RunSpec, folder: RunFolder) -> None:
        # `compare` asks for it by name.
        reason = f"run {spec.run_id}: {spec.reason or 'made by a run'}"
        by = Signature(actor=spec.actor, reason=reason[:_LONGEST_REASON])
        candidate = candidate_of(folder)
        await self._tools.registry.register(spec.tenant, spec.role, candidate, by)
        self.book.add_version(spec.tenant, spec.role, spec.version)
