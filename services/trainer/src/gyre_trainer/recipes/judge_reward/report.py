"""What a gate found, as it is kept with the version, passed or not; and the verdict of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from gyre_common.events.training import Decision, Slice, Verdict
from gyre_common.store import ContentRef
from pydantic import BaseModel, ConfigDict

from gyre_trainer.language_models.report import (
    MUST_NOT_LOSE,
    MeasuredSlice,
    Objections,
    main_line,
)

METRIC = "pairs × 100 of which it tells the answer that people preferred, half for a tie"
EXPLANATION = "100 would be every pair told rightly; 50 is what guessing comes to."


class SliceName(StrEnum):
    """`new`: nothing was learned about the documents; `taught`: something was. `other tenants`, in
    a run for all, are those but the largest. Of `corrected` pairs
    somebody wrote the better answer, of `liked` ones both were given. The better answer may be the
    `shorter` one: who merely likes long answers tells these wrongly.
    """

    OVERALL = "overall"
    NEW = "new"
    TAUGHT = "taught"
    CORRECTED = "corrected"
    LIKED = "liked"
    OTHERS = "other tenants"
    SHORTER = "the shorter is better"
    LONGER = "the longer is better"


class GateReport(BaseModel):
    """`left_out` counts held-out pairs that could not be compared, by reason; `least` and `margin`
    are the rule's.
    """

    model_config = ConfigDict(frozen=True)

    verdict: Decision
    reasons: tuple[str, ...]
    summary: str
    run_id: str
    tenant: str
    profile: str
    data_set: str
    least: int
    margin: float
    live: str
    candidate: str
    slices: tuple[MeasuredSlice, ...]
    left_out: Mapping[str, int]
    card: str = ""
    measured_at: datetime


def decide(
    slices: Sequence[MeasuredSlice], *, least: int, margin: float
) -> tuple[Decision, tuple[str, ...]]:
    """The verdict, and a sentence for each thing that speaks against the candidate."""
    of = {one.name: one for one in slices}
    objections = Objections(least=least, margin=margin)
    objections.expect_gain(of[SliceName.OVERALL])
    for name, where in MUST_NOT_LOSE.items():
        if name in of:
            objections.expect_no_loss(of[name], where)
    objections.expect_not_surely_worse(
        of[SliceName.SHORTER], 0.0, "it tells less often that a shorter answer is better"
    )
    return objections.verdict()


def summary_of(verdict: Decision, slices: Sequence[MeasuredSlice]) -> str:
    """The report's main line."""
    return main_line(verdict, slices, (SliceName.OVERALL, *MUST_NOT_LOSE, SliceName.SHORTER))


def verdict_of(report: GateReport, stored: ContentRef) -> Verdict:
    """In the terms that every recipe has."""
    fields = {"live", "candidate", "difference", "low", "high"}
    return Verdict(
        metric=METRIC,
        explanation=EXPLANATION,
        decision=report.verdict,
        summary=report.summary,
        reasons=report.reasons,
        slices=tuple(
            Slice(name=one.name, examples=one.clusters, **one.model_dump(include=fields))
            for one in report.slices
        ),
        report=stored.digest,
        report_uri=stored.uri,
    )


def as_markdown(report: GateReport) -> str:
    """For the model card: the verdict, the table and what it rests on."""
    rows = ["| slice | pairs | live | candidate | difference (95 %) |", "|---|---|---|---|---|"]
    for one in report.slices:
        live, candidate = (
            "–" if value is None else f"{value:.1f}" for value in (one.live, one.candidate)
        )
        rows.append(f"| {one.name} | {one.clusters} | {live} | {candidate} | {one.interval} |")
    return "\n\n".join(
        (
            "## Gate",
            f"Verdict: **{report.verdict}**. {report.summary}",
            f"{METRIC}. Intervals are a paired bootstrap over clusters of questions.",
            "\n".join(rows),
            f"Profile: {report.profile}.",
            *(f"- {count} pairs left out: {why}" for why, count in report.left_out.items()),
            *(f"- {reason}" for reason in report.reasons),
        )
    )
