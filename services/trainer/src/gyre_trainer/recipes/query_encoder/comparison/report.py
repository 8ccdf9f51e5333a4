"""What a gate found, as it is kept with the version, passed or not."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from gyre_common.events.training import Decision
from pydantic import BaseModel, ConfigDict, Field

MARK = "<!-- gate -->"
"""Stands in a candidate's model card where the report goes."""


class SliceName(StrEnum):
    """All questions; those whose good documents had good votes on the training side, be it to learn
    from or to choose by; the others.
    """

    OVERALL = "overall"
    VOTED = "voted"
    NEW = "new"


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class MeasuredSlice(_ReportPart):
    """One slice. nDCG@10 and differences are between 0 and 1, weighted by inverse propensity.

    `clusters` counts questions that differ: near-identical ones are one piece of evidence.
    `effective` is how many equally weighted ones would tell as much. `low` and `high` bound the
    difference (candidate minus live) two-sided at 95 %, `one_sided_low` one-sided. `needed` is how
    many questions that differ would probably (in 4 of 5 cases) settle it, where it is not settled.
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
    """Candidate minus live with its own weights refitted: what the encoder alone brings."""
    needed: int | None = None


class Pair(_ReportPart):
    """The same thing on both sides."""

    live: str
    candidate: str


class Mixture(_ReportPart):
    """The weights of the two legs."""

    bm25: float
    dense: float


class Rule(_ReportPart):
    """What is asked for.

    `least` questions that differ in each of the slices `voted` and `new`; overall, the two-sided
    95 % interval above 0; on `new`, the one-sided 95 % bound above minus `margin`.
    """

    least: int = Field(ge=1)
    margin: float = Field(default=0.01, gt=0)


class GateReport(_ReportPart):
    """Everything the verdict rests on.

    `without_good` questions were left out because no passage that is still there was called good.
    `judged_in_top` tells which share of the first ten passages people have judged: the rest is
    taken out before anything is measured. `orders_checked` replies of the retriever had the very
    order that fusing their raw scores again gives.
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
    live_weights: Mixture | None
    live_refitted_weights: Mixture
    candidate_weights: Mixture
    validation_questions: int
    validation_ndcg: float
    without_good: int
    slices: tuple[MeasuredSlice, ...]
    judged_in_top: dict[str, float]
    orders_checked: int
    measured_at: datetime
    card: str = ""
    """Where the store keeps the candidate's model card with this report in it."""

    @property
    def passed(self) -> bool:
        """Whether the candidate may go live."""
        return self.verdict is Decision.PASSED


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
        f"Weights (bm25/dense): live {_mixture(report.live_weights)}, "
        f"live refitted {_mixture(report.live_refitted_weights)}, "
        f"candidate {_mixture(report.candidate_weights)}, "
        f"fitted on {report.validation_questions} validation questions. Profile: {report.profile}.",
        *(f"- {reason}" for reason in report.reasons),
    )
    return "\n\n".join(facts)


def summary_of(verdict: Decision, slices: Mapping[SliceName, MeasuredSlice]) -> str:
    """The report's main line. What refitting live's weights brings, the encoder did not."""
    parts = ", ".join(_describe(slices[name]) for name in (SliceName.OVERALL, SliceName.NEW))
    alone = slices[SliceName.OVERALL].over_refitted
    encoder = "" if alone is None else f"; the encoder alone {signed(alone)}"
    return f"{verdict}: {parts}{encoder}"


def _describe(one: MeasuredSlice) -> str:
    if one.difference is None or one.low is None or one.high is None:
        return f"{one.name} without questions"
    return (
        f"{one.name} {signed(one.difference)} ({signed(one.low)} to {signed(one.high)}, "
        f"{one.clusters} questions)"
    )


def _row(one: MeasuredSlice) -> str:
    if one.difference is None or one.low is None or one.high is None:
        return f"| {one.name} | {one.clusters} | – | – | – |"
    return (
        f"| {one.name} | {one.clusters} | {points(one.live)} | {points(one.candidate)} | "
        f"{signed(one.difference)} ({signed(one.low)} to {signed(one.high)}) |"
    )


def points(value: float | None) -> str:
    """A measure as people quote it: times 100."""
    return "–" if value is None else f"{100 * value:.1f}"


def signed(value: float) -> str:
    """A difference in points."""
    return f"{100 * value:+.1f}"


def _mixture(weights: Mixture | None) -> str:
    return "not a weighted sum" if weights is None else f"{weights.bm25:.2f}/{weights.dense:.2f}"
