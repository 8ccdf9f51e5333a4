"""The events of a run, made of its folder: what it did so far, and how it ended."""

from contextlib import suppress
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import now
from gyre_common.events.training import RunOutcome, TrainingFinished, TrainingProgressed

from gyre_trainer.runs.book import Run
from gyre_trainer.runs.candidates import JudgedCandidate
from gyre_trainer.runs.folder import ExportedCandidate, Prepared, ProgressLine, RunFolder, RunSpec
from gyre_trainer.runs.verbs import WAITING


@dataclass(frozen=True)
class Ending:
    """How a run ended; `judged` where it reached its verdict."""

    outcome: RunOutcome
    message: str
    judged: JudgedCandidate | None = None


def progressed_event(spec: RunSpec, line: ProgressLine) -> TrainingProgressed:
    """A verb's line as the topic has it."""
    return TrainingProgressed(
        tenant=spec.tenant,
        run_id=spec.run_id,
        recipe=spec.recipe,
        role=spec.role,
        stage=line.stage,
        step=line.step,
        steps=line.steps,
        metrics=line.metrics,
        message=line.message,
        at=now(),
    )


def waiting_event(spec: RunSpec) -> TrainingProgressed:
    """What a run says while it is not its turn yet."""
    message = "another run trains on this machine: this one goes on when that is over"
    return progressed_event(spec, ProgressLine(stage=WAITING, message=message))


def stopped_ending(spec: RunSpec, *, by: str) -> Ending:
    """By somebody, or by nobody: then it is the trainer that ends."""
    resume = f"`gyre train --resume {spec.run_id}` goes on from where it was"
    if by:
        return Ending(RunOutcome.CANCELLED, f"stopped by {by}: {resume}")
    return Ending(RunOutcome.INTERRUPTED, f"the trainer ended while it ran: {resume}")


def finished_event(spec: RunSpec, folder: RunFolder, ending: Ending) -> TrainingFinished:
    """What the run says last, with as much as can be read of what it got done."""
    prepared, exported, judged = _prepared(folder), _exported(folder), ending.judged
    return TrainingFinished(
        tenant=spec.tenant,
        run_id=spec.run_id,
        recipe=spec.recipe,
        role=spec.role,
        profile=spec.profile,
        settings=spec.settings,
        code=spec.code,
        actor=spec.actor,
        reason=spec.reason,
        outcome=ending.outcome,
        message=_message(ending, prepared),
        data_set=prepared.data_set if prepared else None,
        window=prepared.window if prepared else {},
        votes=prepared.votes if prepared else 0,
        first_vote_at=prepared.first_vote_at if prepared else None,
        last_vote_at=prepared.last_vote_at if prepared else None,
        base=spec.base,
        version=exported.version if exported else None,
        artifact=exported.digest if exported else None,
        report=judged.verdict.report if judged else None,
        report_uri=judged.verdict.report_uri if judged else None,
        metrics=exported.metrics if exported else {},
        verdict=judged.verdict if judged else None,
        candidate=judged.candidate if judged else None,
        against=dict(judged.against) if judged else {},
        hold=spec.hold,
        started_at=spec.started_at,
        finished_at=now(),
    )


def interrupted_event(run: Run, folder: RunFolder) -> TrainingFinished:
    """For a run that an earlier trainer left behind."""
    message = (
        f"the trainer ended while it ran: `gyre train --resume {run.run_id}` goes on from where "
        "it was"
    )
    ending = Ending(RunOutcome.INTERRUPTED, message)
    try:
        return finished_event(folder.spec(), folder, ending)
    except (FailedPrecondition, OSError):
        return TrainingFinished(
            tenant=run.tenant,
            run_id=run.run_id,
            recipe=run.recipe,
            role=run.role,
            profile=run.profile,
            actor=run.actor,
            reason=run.reason,
            outcome=ending.outcome,
            message="the trainer ended while it ran, and its folder is gone or damaged: start "
            "another run",
            started_at=run.started_at,
            finished_at=now(),
        )


def _prepared(folder: RunFolder) -> Prepared | None:
    with suppress(FailedPrecondition, OSError):
        return folder.prepared()
    return None


def _exported(folder: RunFolder) -> ExportedCandidate | None:
    with suppress(FailedPrecondition, OSError):
        return folder.exported()
    return None


def _message(ending: Ending, prepared: Prepared | None) -> str:
    if ending.judged is None or prepared is None or not prepared.note:
        return ending.message
    return f"{ending.message}; {prepared.note}"
