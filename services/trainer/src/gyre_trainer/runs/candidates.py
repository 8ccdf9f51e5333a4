"""What a run hands to the release controller: its version, then the verdict on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import Version, now
from gyre_common.events.releases import Artifact, Evidence, Roles
from gyre_common.events.training import Decision, RunOutcome, Slice, Verdict
from gyre_common.fusion import Fusion
from gyre_common.releases.builtin import digest_of_settings
from gyre_common.signature import Signature
from gyre_common.store import Store
from pydantic import ValidationError

from gyre_trainer.gate import report as gate
from gyre_trainer.gate.report import GateReport
from gyre_trainer.runs.folder import RunFolder, RunSpec
from gyre_trainer.runs.patience import STORE_SECONDS, patiently
from gyre_trainer.runs.registry import Registry

_METRIC = "nDCG@10 × 100 of the whole retrieval over judged passages"
_LONGEST_REASON = 1000


@dataclass(frozen=True)
class Judged:
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
    """Registers what the phases made, and keeps what was found of it. Each may be done again.

    Raises, from both methods: Retryable when store or release controller stay away;
    FailedPrecondition when the folder was changed.
    """

    def __init__(
        self, registry: Registry, store: Store, *, patience: float = STORE_SECONDS
    ) -> None:
        self._registry = registry
        self._store = store
        self._patience = patience

    async def register(self, folder: RunFolder) -> None:
        """Make the candidate known, so that the gate can ask for it by name."""
        spec = folder.spec()
        reason = f"run {spec.run_id}: {spec.reason or 'made by a run'}"
        by = Signature(actor=spec.actor, reason=reason[:_LONGEST_REASON])
        await patiently(
            lambda: self._registry.register(spec.tenant, spec.role, _candidate(folder, spec), by),
            seconds=self._patience,
        )

    async def judged(self, folder: RunFolder) -> Judged:
        """The verdict, with its report safe in the store."""
        spec, report = folder.spec(), _report(folder)
        content = await asyncio.to_thread(folder.report.read_bytes)
        kept = await patiently(lambda: self._store.put(content), seconds=self._patience)
        fitted = fitted_retrieval(spec, report)
        verdict = verdict_of(report).model_copy(
            update={
                "companions": {Roles.RETRIEVAL.value: fitted},
                "report": kept.digest,
                "report_uri": kept.uri,
            }
        )
        against = {
            role.value: spec.live[role].version for role in (Roles.QUERY_ENCODER, Roles.RETRIEVAL)
        }
        return Judged(_candidate(folder, spec), verdict, against)


def verdict_of(report: GateReport) -> Verdict:
    """What the report says, in terms that need no recipe to explain them."""
    return Verdict(
        metric=_METRIC,
        decision=Decision(report.verdict.value),
        summary=report.summary,
        reasons=report.reasons,
        slices=tuple(map(_slice, report.slices)),
    )


def fitted_retrieval(spec: RunSpec, report: GateReport) -> Artifact:
    """Live's way of retrieving with the weights that fit the candidate."""
    settings = {
        **spec.live[Roles.RETRIEVAL].settings,
        "fusion": Fusion.WEIGHTED_SUM.value,
        "bm25_weight": f"{report.candidate_weights.bm25:g}",
        "dense_weight": f"{report.candidate_weights.dense:g}",
    }
    return Artifact(
        version=f"fitted-{spec.run_id.hex[-8:]}",
        digest=digest_of_settings(settings),
        settings=settings,
        fits=spec.version,
        evidence=_origin(spec),
        registered_at=now(),
    )


def _candidate(folder: RunFolder, spec: RunSpec) -> Artifact:
    made = folder.exported()
    return Artifact(
        version=made.version,
        digest=made.digest,
        uri=made.uri,
        fits=spec.live[Roles.DOCUMENT_ENCODER].version,
        evidence=_origin(spec),
        registered_at=now(),
    )


def _origin(spec: RunSpec) -> dict[str, str]:
    return {
        Evidence.RUN.value: str(spec.run_id),
        Evidence.DATA_SET.value: spec.data_set,
        Evidence.PROFILE.value: spec.profile,
        Evidence.BASE.value: spec.live[Roles.DOCUMENT_ENCODER].version,
    }


def _slice(one: gate.Slice) -> Slice:
    return Slice(
        name=one.name.value,
        examples=one.clusters,
        live=_points(one.live),
        candidate=_points(one.candidate),
        difference=_points(one.difference),
        low=_points(one.low),
        high=_points(one.high),
    )


def _points(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 4)


def _report(folder: RunFolder) -> GateReport:
    try:
        return GateReport.model_validate_json(folder.report.read_bytes())
    except (OSError, ValidationError) as error:
        raise FailedPrecondition(
            f"{folder.report} is missing or damaged: remove it and resume the run"
        ) from error
