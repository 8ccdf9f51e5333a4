"""The verdict of a report: what the release controller and people see of it."""

from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.training import Slice, Verdict
from gyre_common.fusion import Fusion
from gyre_common.releases.builtin import digest_of_settings
from gyre_common.store import ContentRef
from pydantic import ValidationError

from gyre_trainer.recipes.query_encoder.comparison import report
from gyre_trainer.runs.folder import RunSpec

METRIC = "nDCG@10 × 100 of the whole retrieval over judged passages"


def verdict_of(spec: RunSpec, measured: report.GateReport, stored_report: ContentRef) -> Verdict:
    """`stored_report` is where the store has the report."""
    return _verdict(measured).model_copy(
        update={
            "companions": {Roles.RETRIEVAL.value: fitted_retrieval(spec, measured)},
            "report": stored_report.digest,
            "report_uri": stored_report.uri,
        }
    )


def verdict_in(content: bytes) -> Verdict | None:
    """The verdict of a report that was kept; None where it is no such report."""
    try:
        return _verdict(report.GateReport.model_validate_json(content))
    except ValidationError:
        return None


def _verdict(measured: report.GateReport) -> Verdict:
    return Verdict(
        metric=METRIC,
        decision=measured.verdict,
        summary=measured.summary,
        reasons=measured.reasons,
        slices=tuple(_slice(one) for one in measured.slices),
    )


def fitted_retrieval(spec: RunSpec, measured: report.GateReport) -> Artifact:
    """Live's way of retrieving with the weights that fit the candidate."""
    settings = {
        **spec.live[Roles.RETRIEVAL].settings,
        "fusion": Fusion.WEIGHTED_SUM.value,
        "bm25_weight": f"{measured.candidate_weights.bm25:g}",
        "dense_weight": f"{measured.candidate_weights.dense:g}",
    }
    return Artifact(
        version=f"fitted-{spec.run_id.hex[-8:]}",
        digest=digest_of_settings(settings),
        settings=settings,
        fits=spec.version,
        registered_at=now(),
    )


def _slice(one: report.MeasuredSlice) -> Slice:
    """In points: times 100, as people quote the measure."""
    return Slice(
        name=one.name,
        examples=one.clusters,
        live=_points(one.live),
        candidate=_points(one.candidate),
        difference=_points(one.difference),
        low=_points(one.low),
        high=_points(one.high),
    )


def _points(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 4)
