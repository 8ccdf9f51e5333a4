"""What a gate found, as it is kept with the version, passed or not; and the verdict of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.training import Decision, Slice, Verdict
from gyre_common.fusion import Fusion
from gyre_common.releases.builtin import digest_of_settings
from gyre_common.store import ContentRef
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gyre_trainer.runs.folder import RunSpec

METRIC = "nDCG@10 × 100 of the whole retrieval over judged passages"
EXPLANATION = (
    "100 would be the best order there is of the first ten passages; 0 finds nothing good."
)

MARK = "<!-- gate -->"
"""Stands in a candidate's model card where the report goes."""


class SliceName(StrEnum):
    """`voted`: good documents had good votes on the training side; `new`: they had none."""

    OVERALL = "overall"
    VOTED = "voted"
    NEW = "new"


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class MeasuredSlice(_ReportPart):
    """nDCG@10 and differences are between 0 and 1, weighted by inverse propensity.

    `clusters` counts questions that differ: near-identical ones are one piece of evidence;
    `effective` is how many equally weighted ones would tell as much. `low` and `high` bound the
    difference (candidate minus live) two-sided at 95 %, `one_sided_low` one-sided. `over_refitted`
    is candidate minus live with its own weights refitted: what the encoder alone brings. `needed`
    questions that differ would probably (in 4 of 5 cases) settle what is not settled.
    """

    name: SliceName
    questions: int
    clusters: int
    effective: float = 0.0
    live: float | None = None
    live_refitted: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    one_sided_low: float | None = None
    spread: float | None = None
    over_refitted: float | None = None
    needed: int | None = None

    @property
    def bounds(self) -> str:
        """Of the difference, in points."""
        return f"{signed(self.low)} to {signed(self.high)}"


class Pair(_ReportPart):
    """The same thing on both sides."""

    live: str
    candidate: str


@dataclass(frozen=True)
class Weights:
    """What each leg's normalised score counts in the sum."""

    bm25: float
    dense: float


class Rule(_ReportPart):
    """`least` questions that differ in each of the slices `voted` and `new`; overall, the two-sided
    95 % interval above 0; on `new`, the one-sided 95 % bound above minus `margin`.
    """

    least: int = Field(ge=1)
    margin: float = Field(default=0.01, gt=0)


class GateReport(_ReportPart):
    """Everything the verdict rests on.

    `without_good` questions were left out because no passage that is still there was called good.
    `judged_in_top` is the share of the first ten passages that people have judged: the rest is
    taken out before anything is measured. `orders_checked` replies of the retriever had the very
    order that fusing their raw scores again gives. `card` is where the store keeps the model card.
    """

    verdict: Decision
    reasons: tuple[str, ...]
    summary: str
    run_id: str
    tenant: str
    profile: str
    data_set: str
    rule: Rule
    query_encoder: Pair
    retrieval_live: str
    document_encoder: str
    live_weights: Weights | None
    live_refitted_weights: Weights
    candidate_weights: Weights
    validation_questions: int
    validation_ndcg: float
    without_good: int
    slices: tuple[MeasuredSlice, ...]
    judged_in_top: dict[str, float]
    orders_checked: int
    measured_at: datetime
    card: str = ""


def verdict_of(spec: RunSpec, report: GateReport, stored_report: ContentRef) -> Verdict:
    """With live's way of retrieving and the weights that fit the candidate as its companion."""
    settings = {
        **spec.live[Roles.RETRIEVAL].settings,
        "fusion": Fusion.WEIGHTED_SUM.value,
        "bm25_weight": f"{report.candidate_weights.bm25:g}",
        "dense_weight": f"{report.candidate_weights.dense:g}",
    }
    retrieval = Artifact(
        version=f"fitted-{spec.run_id.hex[-8:]}",
        digest=digest_of_settings(settings),
        settings=settings,
        fits=spec.version,
        registered_at=now(),
    )
    return _verdict(report).model_copy(
        update={
            "companions": {Roles.RETRIEVAL.value: retrieval},
            "report": stored_report.digest,
            "report_uri": stored_report.uri,
        }
    )


def verdict_in(content: bytes) -> Verdict | None:
    """The verdict of a report that was kept; None where it is no such report."""
    try:
        return _verdict(GateReport.model_validate_json(content))
    except ValidationError:
        return None


def _verdict(report: GateReport) -> Verdict:
    return Verdict(
        metric=METRIC,
        explanation=EXPLANATION,
        decision=report.verdict,
        summary=report.summary,
        reasons=report.reasons,
        slices=tuple(map(_slice, report.slices)),
    )


def _slice(one: MeasuredSlice) -> Slice:
    """In points: times 100, as people quote the measure."""
    values = one.model_dump(include={"live", "candidate", "difference", "low", "high"})
    points = {
        name: None if value is None else round(100 * value, 4) for name, value in values.items()
    }
    return Slice(name=one.name, examples=one.clusters, **points)


def as_markdown(report: GateReport) -> str:
    """For the model card: the verdict, the table and what it rests on."""
    rows = [
        "| slice | questions | live | candidate | difference (95 %) |",
        "|---|---|---|---|---|",
        *(_row(one) for one in report.slices),
    ]
    facts = (
        "## Gate",
        f"Verdict: **{report.verdict}**. {report.summary}",
        "nDCG@10 of the whole retrieval over judged passages, in points; questions are weighted by "
        "inverse propensity, intervals are a paired bootstrap over clusters of questions.",
        "\n".join(rows),
        f"Weights (bm25/dense): live {_weights(report.live_weights)}, "
        f"live refitted {_weights(report.live_refitted_weights)}, "
        f"candidate {_weights(report.candidate_weights)}, "
        f"fitted on {report.validation_questions} validation questions. Profile: {report.profile}.",
        *(f"- {reason}" for reason in report.reasons),
    )
    return "\n\n".join(facts)


def summary_of(verdict: Decision, slices: Mapping[SliceName, MeasuredSlice]) -> str:
    """The report's main line. What refitting live's weights brings, the encoder did not."""
    overall, new = slices[SliceName.OVERALL], slices[SliceName.NEW]
    alone = overall.over_refitted
    encoder = "" if alone is None else f"; the encoder alone {signed(alone)}"
    return f"{verdict}: {_describe(overall)}, {_describe(new)}{encoder}"


def signed(value: float | None) -> str:
    """A difference in points."""
    return "–" if value is None else f"{100 * value:+.1f}"


def interval(one: MeasuredSlice) -> str:
    """The difference and its bounds, in points."""
    return f"{signed(one.difference)} ({one.bounds})"


def _describe(one: MeasuredSlice) -> str:
    if one.difference is None:
        return f"{one.name} without questions"
    return f"{one.name} {signed(one.difference)} ({one.bounds}, {one.clusters} questions)"


def _row(one: MeasuredSlice) -> str:
    live, candidate = (
        "–" if value is None else f"{100 * value:.1f}" for value in (one.live, one.candidate)
    )
    difference = "–" if one.difference is None else interval(one)
    return f"| {one.name} | {one.clusters} | {live} | {candidate} | {difference} |"


def _weights(weights: Weights | None) -> str:
    return "not a weighted sum" if weights is None else f"{weights.bm25:.2f}/{weights.dense:.2f}"
