"""The rule that verdicts are held against, and what is recorded of them, whatever the metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gyre_common.events.event import Version
from gyre_common.events.releases import GATE_FAILED, GATE_PASSED, Artifact, Evidence
from gyre_common.events.training import Decision, RunOutcome, TrainingFinished, Verdict
from gyre_common.signature import Signature

_LONGEST = 1000
"""Characters of a reason, so that what is recorded of a version stays within its bounds."""

Ruling = tuple[RunOutcome, str]
"""What becomes of the version, and what the verdict does not say of it already."""


@dataclass(frozen=True)
class JudgedRun:
    """The end of a run that has a verdict on its registered version."""

    event: TrainingFinished
    candidate: Artifact
    verdict: Verdict

    @classmethod
    def of(cls, event: TrainingFinished) -> Self | None:
        """None for a run that was not judged."""
        if event.candidate is None or event.verdict is None:
            return None
        return cls(event, event.candidate, event.verdict)

    @property
    def versions(self) -> Mapping[str, Version]:
        """What goes live together, by role."""
        companions = self.verdict.companions
        others = {role: artifact.version for role, artifact in companions.items()}
        return {self.event.role: self.candidate.version, **others}

    @property
    def by(self) -> Signature:
        """Whoever started the run has wanted what comes of it."""
        reason = f"run {self.event.run_id}: {self.event.reason or self.verdict.summary}"
        return Signature(actor=self.event.actor, reason=reason[:_LONGEST])

    @property
    def evidence(self) -> dict[str, str]:
        """What the verdict adds to the record of each version that it is about."""
        passed = self.verdict.decision is Decision.PASSED and not self._contradiction
        record = {
            Evidence.GATE: GATE_PASSED if passed else GATE_FAILED,
            Evidence.REPORT: self.verdict.report_uri,
            Evidence.REPORT_DIGEST: self.verdict.report,
            Evidence.SUMMARY: self.verdict.summary[:_LONGEST],
        }
        return {key.value: value for key, value in record.items() if value}

    def ruling(self) -> Ruling:
        """What the verdict alone comes to, whatever is live by now."""
        if self.verdict.decision is not Decision.PASSED:
            return RunOutcome.REFUSED, ""
        if self._contradiction:
            return RunOutcome.REFUSED, self._contradiction
        if self.event.hold:
            promote = f"gyre promote {self.event.role} {self.event.version}"
            return RunOutcome.PASSED, f"held: promote it with `{promote}`"
        return RunOutcome.RELEASED, ""

    @property
    def _contradiction(self) -> str:
        """How the slices belie that the verdict says passed; empty when they do not."""
        whole = next(iter(self.verdict.slices), None)
        if whole is None or whole.examples == 0 or whole.high is None:
            return "the verdict says passed, but nothing was measured on the whole"
        if whole.high < 0:
            best = f"at best {whole.high:+g}"
            return f"the verdict says passed, but the whole is surely worse ({best})"
        return ""


def unreleased(why: str) -> Ruling:
    """It passed, and yet something speaks against making it live now."""
    return RunOutcome.PASSED, f"but it was not released: {why}"


def outcome_evidence(ruling: Ruling) -> dict[str, str]:
    """What tells that a verdict was applied, and what it came to."""
    outcome, reason = ruling
    why = {Evidence.OUTCOME_REASON.value: reason[:_LONGEST]} if reason else {}
    return {Evidence.OUTCOME.value: outcome.value, **why}
