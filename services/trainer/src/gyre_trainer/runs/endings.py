"""What a run hands over: its candidate, how it went and ended, and its gate's report."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Evidence
from gyre_common.events.training import Decision, RunOutcome, TrainingFinished, TrainingProgressed
from gyre_common.store import DamagedContentError, Store

from gyre_trainer.runs.book import Run
from gyre_trainer.runs.folder import ProgressLine, RunFolder, RunSpec

T = TypeVar("T")


@dataclass(frozen=True)
class RunEnding:
    """How a run ended; `judged` are the fields of its last event that only a verdict fills."""

    outcome: RunOutcome
    message: str
    judged: Mapping[str, Any] = field(default_factory=dict)


def candidate_of(folder: RunFolder) -> Artifact:
    """The version that the run made. Raises FailedPrecondition when the folder was changed."""
    content = folder.exported().model_dump(exclude={"variant", "metrics"})
    return Artifact(**content, evidence=_origin(folder), registered_at=now())


def judged_ending(folder: RunFolder) -> RunEnding:
    """Of a run that has its verdict. Raises FailedPrecondition when the folder was changed."""
    spec, verdict, origin = folder.spec(), folder.verdict(), _origin(folder)
    companions = {
        role: each.model_copy(update={"evidence": origin})
        for role, each in verdict.companions.items()
    }
    judged = {
        "verdict": verdict.model_copy(update={"companions": companions}),
        "candidate": candidate_of(folder),
        "against": {role: spec.live[role].version for role in (spec.role, *companions)},
        "report": verdict.report,
        "report_uri": verdict.report_uri,
    }
    if verdict.decision is Decision.PASSED:
        return RunEnding(RunOutcome.PASSED, verdict.summary, judged)
    reasons = "; ".join(verdict.reasons)
    return RunEnding(RunOutcome.REFUSED, f"{verdict.decision}: {reasons}", judged)


def stopped_ending(run_id: object, *, by: str = "") -> RunEnding:
    """By somebody, or by nobody: then it is the trainer that ends."""
    resume = f"`gyre train --resume {run_id}` goes on from where it was"
    if by:
        return RunEnding(RunOutcome.CANCELLED, f"stopped by {by}: {resume}")
    return RunEnding(RunOutcome.INTERRUPTED, f"the trainer ended while it ran: {resume}")


def progressed_event(spec: RunSpec, line: ProgressLine) -> TrainingProgressed:
    """A verb's line as the topic has it."""
    return TrainingProgressed.model_validate({**dict(spec), **dict(line), "at": now()})


def finished_event(spec: RunSpec, folder: RunFolder, ending: RunEnding) -> TrainingFinished:
    """What the run says last, with as much as can be read of what it got done."""
    prepared, exported = _readable(folder.prepared), _readable(folder.exported)
    message = ending.message
    if ending.judged and prepared and prepared.note:
        message = f"{message}; {prepared.note}"
    return TrainingFinished.model_validate(
        {
            **spec.model_dump(exclude={"version", "window"}),
            **(dict(prepared) if prepared else {}),
            "version": exported.version if exported else None,
            "artifact": exported.digest if exported else None,
            "metrics": exported.metrics if exported else {},
            **ending.judged,
            "outcome": ending.outcome,
            "message": message,
            "finished_at": now(),
        }
    )


def interrupted_event(run: Run, folder: RunFolder) -> TrainingFinished:
    """For a run that an earlier trainer left behind."""
    try:
        return finished_event(folder.spec(), folder, stopped_ending(run.run_id))
    except (FailedPrecondition, OSError):
        return TrainingFinished.model_validate(
            {
                **run.model_dump(exclude={"metrics"}),
                "outcome": RunOutcome.INTERRUPTED,
                "message": "the trainer ended while it ran, and its folder is gone or damaged: "
                "start another run",
                "finished_at": now(),
            }
        )


async def report_of(run: Run, store: Store) -> bytes | None:
    """None where there is none, or the store cannot give it: a run can be shown without it."""
    finished = run.finished
    if finished is None or finished.report is None or finished.report_uri is None:
        return None
    with suppress(NotFound, InvalidInput, DamagedContentError, Retryable):
        return await store.get(finished.report_uri, finished.report)
    return None


def _origin(folder: RunFolder) -> dict[str, str]:
    spec = folder.spec()
    return {
        Evidence.RUN.value: str(spec.run_id),
        Evidence.DATA_SET.value: folder.prepared().data_set,
        Evidence.PROFILE.value: spec.profile,
        **({Evidence.BASE.value: spec.base} if spec.base else {}),
    }


def _readable(read: Callable[[], T]) -> T | None:
    with suppress(FailedPrecondition, OSError):
        return read()
    return None
