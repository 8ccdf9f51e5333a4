"""What a gate found, as it is kept with the version, passed or not; and the verdict of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from gyre_common.events.training import Decision, Slice, Verdict
from gyre_common.store import ContentRef
from pydantic import BaseModel, ConfigDict

METRIC = (
    "ROUGE-L × 100 to what people wrote; where they said that the passages hold no answer, 100 for "
    "declining"
)

MARK = "<!-- gate -->"
"""Stands in a candidate's model card where the report goes."""


class SliceName(StrEnum):
    """`new`: nothing was learned about the documents; `taught`: something was. `answered` and
    `token_f1` are of questions that people answered; `grounded` is the share of sentences that rest
    on a passage, where both sides answered; `declining` is the balanced accuracy of declining.
    """

    OVERALL = "overall"
    NEW = "new"
    TAUGHT = "taught"
    ANSWERED = "answered: ROUGE-L"
    TOKEN_F1 = "answered: token F1"  # noqa: S105
    GROUNDED = "answered: sentences with a source"
    DECLINING = "declining: balanced accuracy"


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class MeasuredSlice(_ReportPart):
    """In points, candidate minus live. `clusters` counts questions that differ. `low` and `high`
    bound the difference two-sided at 95 %, `one_sided_low` one-sided.
    """

    name: str
    questions: int
    clusters: int
    live: float | None = None
    candidate: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    one_sided_low: float | None = None

    @property
    def interval(self) -> str:
        """The difference with its bounds."""
        if self.difference is None:
            return "–"
        return f"{self.difference:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


class GateReport(_ReportPart):
    """`words` is the mean length of what each side wrote, `seconds` and `tokens` (read and written)
    are means of what an answer took; `left_out` counts held-out answers that could not be compared,
    by reason; `least` and `margin` are the rule's.
    """

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
    words: Mapping[str, float]
    declined: Mapping[str, float]
    seconds: Mapping[str, float]
    tokens: Mapping[str, float]
    left_out: Mapping[str, int]
    card: str = ""
    measured_at: datetime


def decide(
    slices: Sequence[MeasuredSlice], *, least: int, margin: float
) -> tuple[Decision, tuple[str, ...]]:
    """The verdict, and a sentence for each thing that speaks against the candidate."""
    of = {one.name: one for one in slices}
    overall, new, grounded, declining = (
        of[name]
        for name in (SliceName.OVERALL, SliceName.NEW, SliceName.GROUNDED, SliceName.DECLINING)
    )
    against: list[str] = []
    unclear: list[str] = []
    if new.clusters < least:
        unclear.append(
            f"the slice `{new.name}` has {new.clusters} different questions of the {least} that "
            "are needed to tell"
        )
    if overall.difference is None or overall.low is None:
        return Decision.TOO_SMALL, ("nothing could be compared", *unclear)
    if overall.low <= 0:
        if overall.difference <= 0:
            against.append(f"no gain overall: {overall.interval}")
        else:
            unclear.append(f"the gain overall may be chance: {overall.interval}")
    if (
        new.one_sided_low is not None
        and new.difference is not None
        and new.one_sided_low <= -margin
    ):
        if new.difference <= -margin:
            against.append(f"a loss on documents nothing was learned about: {new.interval}")
        else:
            unclear.append(
                f"a loss of more than {margin:.1f} on documents nothing was learned about cannot "
                f"be ruled out: {new.difference:+.1f}, the one-sided 95 % bound is "
                f"{new.one_sided_low:+.1f}"
            )
    if grounded.high is not None and grounded.high < -margin:
        against.append(f"more of its sentences rest on nothing: {grounded.interval}")
    if declining.high is not None and declining.high < 0:
        against.append(f"it declines rightly less often: {declining.interval}")
    if against:
        return Decision.REFUSED, (*against, *unclear)
    return (Decision.TOO_SMALL, tuple(unclear)) if unclear else (Decision.PASSED, ())


def summary_of(verdict: Decision, slices: Sequence[MeasuredSlice]) -> str:
    """The report's main line."""
    return main_line(verdict, slices, (SliceName.OVERALL, SliceName.NEW, SliceName.DECLINING))


def main_line(verdict: Decision, slices: Sequence[MeasuredSlice], shown: Sequence[str]) -> str:
    """The verdict, and of the slices that are shown what could be measured."""
    measured = [one for one in slices if one.name in shown and one.difference is not None]
    parts = [f"{one.name} {one.interval}" for one in measured]
    return f"{verdict}: {', '.join(parts) or 'nothing was measured'}"


def verdict_of(report: GateReport, stored: ContentRef) -> Verdict:
    """In the terms that every recipe has."""
    fields = {"live", "candidate", "difference", "low", "high"}
    return Verdict(
        metric=METRIC,
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
    rows = ["| slice | questions | live | candidate | difference (95 %) |", "|---|---|---|---|---|"]
    for one in report.slices:
        live, candidate = (
            "–" if value is None else f"{value:.1f}" for value in (one.live, one.candidate)
        )
        rows.append(f"| {one.name} | {one.clusters} | {live} | {candidate} | {one.interval} |")
    lengths = ", ".join(f"{side} {words:.0f}" for side, words in report.words.items())
    seconds = ", ".join(f"{side} {value:.1f}" for side, value in report.seconds.items())
    tokens = ", ".join(f"{side} {value:.0f}" for side, value in report.tokens.items())
    declined = ", ".join(f"{side} {share:.0%}" for side, share in report.declined.items())
    return "\n\n".join(
        (
            "## Gate",
            f"Verdict: **{report.verdict}**. {report.summary}",
            f"{METRIC}. Intervals are a paired bootstrap over clusters of questions.",
            "\n".join(rows),
            f"An answer: {lengths} words; {seconds} s; {tokens} tokens read and written. Declined: "
            f"{declined}. Profile: {report.profile}.",
            *(f"- {reason}" for reason in report.reasons),
        )
    )
