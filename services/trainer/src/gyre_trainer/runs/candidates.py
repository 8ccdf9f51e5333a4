"""What a run hands to the release controller: its version, then the verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gyre_common.events.event import Version, now
from gyre_common.events.releases import Artifact, Evidence
from gyre_common.events.training import Decision, RunOutcome, Verdict
from gyre_common.signature import Signature

from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.registry import Registry
from gyre_trainer.runs.retry_while_away import STORE_SECONDS, retry_while_away

_LONGEST_REASON = 1000


@dataclass(frozen=True)
class JudgedCandidate:
    """A run's version with the verdict on it, and what was live when it was judged, by role."""

    candidate: Artifact
    verdict: Verdict
    against: Mapping[str, Version] = field(default_factory=dict)

    @property
    def outcome(self) -> RunOutcome:
        """How the run ends; what becomes of the version is for the release controller to say."""
        passed = self.verdict.decision is Decision.PASSED
        return RunOutcome.PASSED if passed else RunOutcome.REFUSED

    @property
    def message(self) -> str:
        """The main line of what passed; of what did not, what speaks against it."""
        if self.outcome is RunOutcome.PASSED:
            return self.verdict.summary
        return f"{self.verdict.decision}: {'; '.join(self.verdict.reasons)}"


class Candidates:
    """Registers what the verbs made, and reads what was found of it. Each may be done again.

    Raises, from both methods: FailedPrecondition when the folder was changed; from `register` also
    Retryable when the release controller stays away.
    """

    def __init__(self, registry: Registry, *, patience: float = STORE_SECONDS) -> None:
        self._registry = registry
        self._patience = patience

    async def register(self, folder: RunFolder) -> None:
        """Make the candidate known, so that `compare` can ask for it by name."""
        spec, artifact = folder.spec(), _candidate(folder)
        reason = f"run {spec.run_id}: {spec.reason or 'made by a run'}"
        by = Signature(actor=spec.actor, reason=reason[:_LONGEST_REASON])
        await retry_while_away(
            lambda: self._registry.register(spec.tenant, spec.role, artifact, by),
            seconds=self._patience,
        )

    def judged_candidate(self, folder: RunFolder) -> JudgedCandidate:
        """The candidate, the verdict, and what it was compared with."""
        spec, verdict, origin = folder.spec(), folder.verdict(), _origin(folder)
        companions = {
            role: each.model_copy(update={"evidence": origin})
            for role, each in verdict.companions.items()
        }
        against = {role: spec.live[role].version for role in (spec.role, *companions)}
        verdict = verdict.model_copy(update={"companions": companions})
        return JudgedCandidate(_candidate(folder), verdict, against)


def _candidate(folder: RunFolder) -> Artifact:
    exported = folder.exported()
    return Artifact(
        version=exported.version,
        digest=exported.digest,
        uri=exported.uri,
        fits=exported.fits,
        settings=exported.settings,
        evidence=_origin(folder),
        registered_at=now(),
    )


def _origin(folder: RunFolder) -> dict[str, str]:
    spec = folder.spec()
    return {
        Evidence.RUN.value: str(spec.run_id),
        Evidence.DATA_SET.value: folder.prepared().data_set,
        Evidence.PROFILE.value: spec.profile,
        **({Evidence.BASE.value: spec.base} if spec.base else {}),
    }
