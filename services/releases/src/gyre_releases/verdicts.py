"""The rule that verdicts are held against, and what is recorded of them, whatever the metric."""

from collections.abc import Mapping

from gyre_common.events.event import Version
from gyre_common.events.releases import GATE_FAILED, GATE_PASSED, Artifact, Evidence
from gyre_common.events.training import Decision, RunOutcome, TrainingFinished, Verdict
from gyre_common.signature import Signature

_LONGEST = 1000
"""Characters of a reason, so that what is recorded of a version stays within its bounds."""

Ruling = tuple[RunOutcome, str]
"""What becomes of the version, and what the verdict does not say of it already."""


def ruling(event: TrainingFinished, verdict: Verdict) -> Ruling:
    """What the verdict alone comes to, whatever is live by now."""
    if verdict.decision is not Decision.PASSED:
        return RunOutcome.REFUSED, ""
    if contradiction := _contradiction(verdict):
        return RunOutcome.REFUSED, contradiction
    if event.hold:
        promote = f"gyre promote {event.role} {event.version}"
        return RunOutcome.PASSED, f"held: promote it with `{promote}`"
    return RunOutcome.RELEASED, ""


def unreleased(why: str) -> Ruling:
    """It passed, and yet something speaks against making it live now."""
    return RunOutcome.PASSED, f"but it was not released: {why}"


def evidence_of(verdict: Verdict) -> dict[str, str]:
    """What a verdict adds to the record of each version that it is about."""
    passed = verdict.decision is Decision.PASSED and not _contradiction(verdict)
    record = {
        Evidence.GATE: GATE_PASSED if passed else GATE_FAILED,
        Evidence.REPORT: verdict.report_uri,
        Evidence.REPORT_DIGEST: verdict.report,
        Evidence.SUMMARY: verdict.summary[:_LONGEST],
    }
    return {key.value: value for key, value in record.items() if value}


def outcome_evidence(verdict_ruling: Ruling) -> dict[str, str]:
    """What tells that a verdict was applied, and what it came to."""
    outcome, reason = verdict_ruling
    why = {Evidence.OUTCOME_REASON.value: reason[:_LONGEST]} if reason else {}
    return {Evidence.OUTCOME.value: outcome.value, **why}


def versions_of(role: str, candidate: Artifact, verdict: Verdict) -> Mapping[str, Version]:
    """What goes live together, by role."""
    return {
        role: candidate.version,
        **{other: artifact.version for other, artifact in verdict.companions.items()},
    }


def signature_of(event: TrainingFinished, verdict: Verdict) -> Signature:
    """Whoever started the run has wanted what comes of it."""
    reason = f"run {event.run_id}: {event.reason or verdict.summary}"
    return Signature(actor=event.actor, reason=reason[:_LONGEST])


def _contradiction(verdict: Verdict) -> str:
    """How the slices of a verdict belie that it says passed; empty when they do not."""
    whole = next(iter(verdict.slices), None)
    if whole is None or whole.examples == 0 or whole.high is None:
        return "the verdict says passed, but nothing was measured on the whole"
    if whole.high < 0:
        return f"the verdict says passed, but the whole is surely worse (at best {whole.high:+g})"
    return ""
