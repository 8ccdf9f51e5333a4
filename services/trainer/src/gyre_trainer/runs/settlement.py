"""What becomes of a candidate: it is registered, attested, and released when it passed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gyre_common.errors import Conflict, FailedPrecondition, Retryable
from gyre_common.events.event import now
from gyre_common.events.releases import (
    GATE_FAILED,
    GATE_PASSED,
    Artifact,
    Evidence,
    ReleaseChanged,
    Roles,
)
from gyre_common.events.training import RunOutcome
from gyre_common.fusion import Fusion
from gyre_common.releases.builtin import digest_of_settings
from gyre_common.store import ContentRef, Store
from pydantic import ValidationError

from gyre_trainer.gate.report import GateReport, SliceName
from gyre_trainer.releases.book import Signature
from gyre_trainer.runs.folder import RunFolder, RunSpec
from gyre_trainer.runs.patience import STORE_SECONDS, patiently

_LONGEST_REASON = 1000


class Releases(Protocol):
    """What a run needs of the release controller; see there. Each may be repeated."""

    async def state(self, tenant: str, role: str) -> ReleaseChanged:
        """One role as a tenant has it."""

    async def register(
        self, tenant: str, role: str, artifact: Artifact, by: Signature
    ) -> ReleaseChanged:
        """Make a version known."""

    async def attest(
        self, tenant: str, role: str, version: str, evidence: Mapping[str, str], by: Signature
    ) -> ReleaseChanged:
        """Add what speaks for a version, or against it."""

    async def release_candidate(
        self,
        tenant: str,
        versions: Mapping[str, str],
        by: Signature,
        *,
        against: Mapping[str, str],
    ) -> tuple[ReleaseChanged, ...]:
        """Make several versions live together, unless something else is live by now."""


@dataclass(frozen=True)
class Settled:
    """How a run ended that reached its gate."""

    outcome: RunOutcome
    message: str
    report: ContentRef
    metrics: Mapping[str, float] = field(default_factory=dict)


class Settlement:
    """Takes what the phases made to the controller. Done twice, it changes nothing more.

    Raises, from both methods: Retryable when store or log stay away; FailedPrecondition when the
    folder was changed.
    """

    def __init__(
        self, releases: Releases, store: Store, *, patience: float = STORE_SECONDS
    ) -> None:
        self._releases = releases
        self._store = store
        self._patience = patience

    async def register(self, folder: RunFolder) -> None:
        """Make the candidate known, so that the gate can ask for it by name."""
        spec, made = folder.spec(), folder.exported()
        artifact = Artifact(
            version=made.version,
            digest=made.digest,
            uri=made.uri,
            fits=spec.live[Roles.DOCUMENT_ENCODER].version,
            evidence=_origin(spec),
            registered_at=now(),
        )
        await self._patiently(
            lambda: self._releases.register(
                spec.tenant, Roles.QUERY_ENCODER, artifact, _by(spec, "made by a run")
            )
        )

    async def settle(self, folder: RunFolder) -> Settled:
        """Keep the report, tell the verdict, and release what passed, unless it is held."""
        spec, report = folder.spec(), _report(folder)
        content = await asyncio.to_thread(folder.report.read_bytes)
        kept = await patiently(lambda: self._store.put(content), seconds=self._patience)
        fitted = fitted_retrieval(spec, report, kept)
        by = _by(spec, report.summary)
        evidence = _verdict(report, kept)
        await self._patiently(
            lambda: self._releases.attest(
                spec.tenant, Roles.QUERY_ENCODER, spec.version, evidence, by
            )
        )
        await self._patiently(
            lambda: self._releases.register(spec.tenant, Roles.RETRIEVAL, fitted, by)
        )
        metrics = _metrics(report)
        if not report.passed:
            why = "; ".join(report.reasons)
            return Settled(RunOutcome.REFUSED, f"{report.verdict}: {why}", kept, metrics)
        if spec.hold:
            waits = f"{report.summary}; held: promote it with `{_promote(spec)}`"
            return Settled(RunOutcome.PASSED, waits, kept, metrics)
        outcome, message = await self._release(spec, report, fitted)
        return Settled(outcome, message, kept, metrics)

    async def _release(
        self, spec: RunSpec, report: GateReport, fitted: Artifact
    ) -> tuple[RunOutcome, str]:
        versions = {
            Roles.QUERY_ENCODER.value: spec.version,
            Roles.RETRIEVAL.value: fitted.version,
        }
        against = {role: spec.live[role].version for role in versions}
        try:
            await self._patiently(
                lambda: self._releases.release_candidate(
                    spec.tenant, versions, _by(spec, report.summary), against=against
                )
            )
        except (Conflict, FailedPrecondition, Retryable) as error:
            return RunOutcome.PASSED, f"{report.summary}; but it was not released: {error}"
        return RunOutcome.RELEASED, report.summary

    async def _patiently(self, ask: "_Ask") -> None:
        await patiently(ask, seconds=self._patience)


class _Ask(Protocol):
    async def __call__(self) -> object: ...


def fitted_retrieval(spec: RunSpec, report: GateReport, kept: ContentRef) -> Artifact:
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
        evidence={**_origin(spec), **_verdict(report, kept)},
        registered_at=now(),
    )


def _origin(spec: RunSpec) -> dict[str, str]:
    return {
        Evidence.RUN.value: str(spec.run_id),
        Evidence.DATA_SET.value: spec.data_set,
        Evidence.PROFILE.value: spec.profile,
        Evidence.BASE.value: spec.live[Roles.DOCUMENT_ENCODER].version,
    }


def _verdict(report: GateReport, kept: ContentRef) -> dict[str, str]:
    return {
        Evidence.GATE.value: GATE_PASSED if report.passed else GATE_FAILED,
        Evidence.REPORT.value: kept.uri,
        Evidence.REPORT_DIGEST.value: kept.digest,
        Evidence.SUMMARY.value: report.summary,
    }


def _metrics(report: GateReport) -> dict[str, float]:
    """What tables of runs show of a gate: nDCG@10 between 0 and 1."""
    slices = {one.name: one for one in report.slices}
    overall, new = slices[SliceName.OVERALL], slices[SliceName.NEW]
    found = {
        "ndcg_live": overall.live,
        "ndcg_candidate": overall.candidate,
        "ndcg_gain": overall.difference,
        "ndcg_gain_low": overall.low,
        "ndcg_gain_high": overall.high,
        "ndcg_gain_new": new.difference,
        "ndcg_gain_new_low": new.one_sided_low,
    }
    return {name: round(value, 6) for name, value in found.items() if value is not None}


def _report(folder: RunFolder) -> GateReport:
    try:
        return GateReport.model_validate_json(folder.report.read_bytes())
    except (OSError, ValidationError) as error:
        raise FailedPrecondition(
            f"{folder.report} is missing or damaged: remove it and resume the run"
        ) from error


def _by(spec: RunSpec, what: str) -> Signature:
    reason = f"run {spec.run_id}: {spec.reason or what}"
    return Signature(actor=spec.actor, reason=reason[:_LONGEST_REASON])


def _promote(spec: RunSpec) -> str:
    return f"gyre promote {spec.role} {spec.version}"
