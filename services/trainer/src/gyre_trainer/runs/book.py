"""What is known of every run: it follows from events alone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from gyre_common.errors import Conflict, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Evidence, ReleaseChanged
from gyre_common.events.training import (
    RunOutcome,
    TrainingEvent,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)
from pydantic import BaseModel, ConfigDict, Field

RUNNING = "running"
SETTLING = "settling"
"""The stage after the last one: the verdict is told, and the release controller has to apply it."""

RESUMABLE = frozenset({RunOutcome.INTERRUPTED, RunOutcome.FAILED, RunOutcome.CANCELLED})


class Run(BaseModel):
    """One run as it is. `state` is `running` or how it ended; `finished` holds what came of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: UUID
    tenant: str
    recipe: str
    role: str
    profile: str
    actor: str
    reason: str
    started_at: datetime
    settings: dict[str, str] = Field(default_factory=dict)
    state: str = RUNNING
    stage: str = ""
    step: int = 0
    steps: int = 0
    metrics: dict[str, float] = Field(default_factory=dict)
    message: str = ""
    finished: TrainingFinished | None = None

    @property
    def is_running(self) -> bool:
        """Whether somebody is, or was when last heard of, at work on it."""
        return self.state == RUNNING


class RunBook:
    """Every run, by id, from events in the order in which they happened. A run that was judged
    shows as running, at stage `settling`, until the release controller has applied its verdict;
    its role is free meanwhile.
    """

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}
        self._evidence: dict[tuple[str, str, str], Mapping[str, str]] = {}
        self._changed = asyncio.Event()

    def add_version(self, tenant: str, role: str, version: str) -> None:
        """The version is known to the release controller, which will tell more of it."""
        self._evidence.setdefault((tenant, role, version), {})

    def apply(self, events: Iterable[TrainingEvent | ReleaseChanged]) -> None:
        """Take over what happened. Progress of a run that is not known, or over, says nothing."""
        for event in events:
            if isinstance(event, ReleaseChanged):
                self._evidence |= {
                    (event.tenant, event.role, artifact.version): artifact.evidence
                    for artifact in event.artifacts
                }
            elif run := _run_after(event, self._runs.get(event.run_id)):
                self._runs[event.run_id] = run
        self._changed.set()
        self._changed = asyncio.Event()

    def run(self, run_id: UUID, tenant: str) -> Run:
        """One that the tenant may see. Raises NotFound."""
        run = self._runs.get(run_id)
        if run is None or run.tenant not in (tenant, EVERY_TENANT):
            raise NotFound(f"there is no run {run_id}: `gyre runs` lists them")
        return self._with_release_outcome(run)

    def runs(self, tenant: str) -> Sequence[Run]:
        """Those that the tenant may see, its own and those for all tenants; newest first."""
        visible = [run for run in self._runs.values() if run.tenant in (tenant, EVERY_TENANT)]
        return sorted(
            map(self._with_release_outcome, visible), key=lambda run: run.started_at, reverse=True
        )

    async def watch(self, run_id: UUID, tenant: str) -> AsyncIterator[Run]:
        """The run as it is, then after each change, until it has ended. Raises NotFound."""
        last_sent: Run | None = None
        while True:
            changed = self._changed
            run = self.run(run_id, tenant)
            if run != last_sent:
                yield run
                last_sent = run
            if not run.is_running:
                return
            await changed.wait()

    def unfinished(self) -> Sequence[Run]:
        """Those of which no end is known."""
        return [run for run in self._runs.values() if run.is_running]

    def check_free(self, tenant: str, role: str) -> None:
        """Raises Conflict that names the run which trains the same role of the same tenant."""
        for run in self.unfinished():
            if (run.tenant, run.role) == (tenant, role):
                doing = run.stage or "it has just begun"
                raise Conflict(
                    f"run {run.run_id} of {run.actor} trains {role} already ({doing}): wait for "
                    f"it with `gyre runs {run.run_id} --follow`, or stop it with "
                    f"`gyre runs {run.run_id} --cancel`"
                )

    def _with_release_outcome(self, run: Run) -> Run:
        """With what its verdict came to. A version that is no longer kept tells nothing more."""
        finished = run.finished
        if finished is None or finished.verdict is None or finished.version is None:
            return run
        evidence = self._evidence.get((run.tenant, run.role, finished.version))
        if evidence is None:
            return run
        outcome = evidence.get(Evidence.OUTCOME)
        if outcome is None:
            waits = f"{run.message}; the release controller has yet to apply this"
            settling = {"state": RUNNING, "stage": SETTLING, "step": 0, "steps": 0}
            return run.model_copy(update={**settling, "message": waits})
        parts = (run.message, evidence.get(Evidence.OUTCOME_REASON, ""))
        message = "; ".join(part for part in parts if part)
        return run.model_copy(update={"state": outcome, "message": message})


_PROGRESS = {"stage", "step", "steps", "metrics", "message"}
_FIRST_START = {"actor", "reason", "started_at"}


def _run_after(event: TrainingEvent, run: Run | None) -> Run | None:
    match event:
        case TrainingStarted():
            started = Run.model_validate(dict(event))
            if run is None:
                return started
            message = f"resumed by {event.actor}{f': {event.reason}' if event.reason else ''}"
            first = run.model_dump(include=_FIRST_START)
            return started.model_copy(update={**first, "message": message})
        case TrainingProgressed() if run is not None and run.is_running:
            return run.model_copy(update=event.model_dump(include=_PROGRESS))
        case TrainingFinished() if run is not None:
            end = {
                "state": event.outcome.value,
                "message": event.message,
                "metrics": event.metrics or run.metrics,
                "finished": event,
            }
            return run.model_copy(update=end)
    return None
