"""What a gate found, as it is kept with the version, passed or not; and the verdict of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from gyre_common.events.training import Decision, Slice, Verdict
from gyre_common.store import ContentRef
from pydantic import BaseModel, ConfigDict

METRIC = (
    "ROUGE-L × 100 to what people wrote; where they said that the passages hold no answer, 100 for "
    "declining"
)
EXPLANATION = "100 would be the very words that people wrote; 0 shares no word with them."

MARK = "<!-- gate -->"
"""Stands in a candidate's model card where the report goes."""


class SliceName(StrEnum):
    """`new`: nothing was learned about the documents; `taught`: something was. `answered` and
    `token_f1` are of questions that people answered; `grounded` is the share of sentences that rest
    on a passage, where both sides answered; `sources` is the share of passages cited that what
    people wrote rests on too, where both sides cite; `declining` is the balanced accuracy of
    declining. Of a run for all tenants, `others` are all but the one with most held-out answers.
    `golden` answers are in this slice alone.
    """

    OVERALL = "overall"
    NEW = "new"
    TAUGHT = "taught"
    OTHERS = "other tenants"
    GOLDEN = "golden"
    ANSWERED = "answered: ROUGE-L"
    TOKEN_F1 = "answered: token F1"  # noqa: S105
    GROUNDED = "answered: sentences with a source"
    SOURCES = "answered: right sources"
    DECLINING = "declining: balanced accuracy"


class _ReportPart(BaseModel):
    model_config = ConfigDict(frozen=True)


class MeasuredSlice(_ReportPart):
    """In points, candidate minus live. `clusters` counts questions that differ. `low` and `high`
    bound the difference two-sided at 95 %, `one_sided_low` one-sided, however often one looked;
    `spread` is its standard error.
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
    spread: float | None = None

    @property
    def interval(self) -> str:
        """The difference with its bounds."""
        if self.difference is None:
            return "–"
        return f"{self.difference:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


class GateReport(_ReportPart):
    """`words` is the mean length of what each side wrote, `seconds` and `tokens` (read and written)
    are means of what an answer took. Of `held_out` answers so many questions were `asked`, and
    `stopped` says why not more; `left_out` counts those that could not be compared, by reason.
    `least` and `margin` are the rule's; `about_others` says why other tenants are no slice.
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
    about_others: str = ""
    asked: int
    held_out: int
    stopped: str = ""
    words: Mapping[str, float]
    declined: Mapping[str, float]
    seconds: Mapping[str, float]
    tokens: Mapping[str, float]
    left_out: Mapping[str, int]
    card: str = ""
    measured_at: datetime


class Objections:
    """What speaks against a candidate, a sentence each: `against` it surely, or `unclear`. `least`
    different questions are needed to tell; a slice may lose `margin` points.
    """

    def __init__(self, *, least: int, margin: float) -> None:
        self.against: list[str] = []
        self.unclear: list[str] = []
        self._least = least
        self._margin = margin

    def expect_gain(self, overall: MeasuredSlice) -> None:
        """The whole interval lies above 0."""
        if overall.difference is None or overall.low is None:
            self.unclear.insert(0, "nothing could be compared")
        elif overall.low <= 0 and overall.difference <= 0:
            self.against.append(f"no gain overall: {overall.interval}")
        elif overall.low <= 0:
            self.unclear.append(f"the gain overall may be chance: {overall.interval}")

    def expect_no_loss(self, one: MeasuredSlice, where: str) -> None:
        """There are questions enough, and a greater loss is ruled out, one-sided at 95 %."""
        if one.clusters < self._least:
            self.unclear.append(
                f"the slice `{one.name}` has {one.clusters} different questions of the "
                f"{self._least} that are needed to tell"
            )
        if one.one_sided_low is None or one.difference is None:
            return
        if one.difference <= -self._margin:
            self.against.append(f"a loss {where}: {one.interval}")
        elif one.one_sided_low <= -self._margin:
            self.unclear.append(
                f"a loss of more than {self._margin:.1f} {where} cannot be ruled out: "
                f"{one.difference:+.1f}, the one-sided 95 % bound is {one.one_sided_low:+.1f}"
            )

    def expect_not_surely_worse(self, one: MeasuredSlice, by: float, what: str) -> None:
        """The whole interval does not lie below so many points."""
        if one.high is not None and one.high < -by:
            self.against.append(f"{what}: {one.interval}")

    def verdict(self) -> tuple[Decision, tuple[str, ...]]:
        """With all that speaks against the candidate."""
        if self.against:
            return Decision.REFUSED, (*self.against, *self.unclear)
        decision = Decision.TOO_SMALL if self.unclear else Decision.PASSED
        return decision, tuple(self.unclear)


NEW_DOCUMENTS = "on documents nothing was learned about"
MUST_NOT_LOSE = MappingProxyType(
    {SliceName.NEW: NEW_DOCUMENTS, SliceName.OTHERS: "of other tenants"}
)
"""Slices that have a bound of their own, where there are any; in words."""


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
    objections.against += surely_worse(slices, margin)
    return objections.verdict()


def surely_worse(slices: Sequence[MeasuredSlice], margin: float) -> list[str]:
    """What surely speaks against the candidate whatever it gains: beside the score what is below
    that of live by all of its interval, and the golden questions, which are all asked and stand
    for no others, so that their mean is enough.
    """
    of = {one.name: one for one in slices}
    objections = Objections(least=0, margin=margin)
    objections.expect_not_surely_worse(
        of[SliceName.GROUNDED], margin, "more of its sentences rest on nothing"
    )
    objections.expect_not_surely_worse(of[SliceName.SOURCES], margin, "it cites worse passages")
    objections.expect_not_surely_worse(
        of[SliceName.DECLINING], 0.0, "it declines rightly less often"
    )
    golden = of.get(SliceName.GOLDEN)
    if golden and golden.difference is not None and golden.difference <= -margin:
        objections.against.append(f"a loss on golden questions: {golden.interval}")
    return objections.against


def summary_of(verdict: Decision, slices: Sequence[MeasuredSlice]) -> str:
    """The report's main line."""
    shown = (SliceName.OVERALL, *MUST_NOT_LOSE, SliceName.GOLDEN, SliceName.DECLINING)
    return main_line(verdict, slices, shown)


def main_line(verdict: Decision, slices: Sequence[MeasuredSlice], shown: Sequence[str]) -> str:
    """The verdict, and of the slices that are shown what could be measured."""
    measured = [one for one in slices if one.name in shown and one.difference is not None]
    parts = [f"{one.name} {one.interval}" for one in measured]
    return f"{verdict}: {', '.join(parts) or 'nothing was measured'}"


def per_answer(report: GateReport) -> str:
    """What an answer of either side is like in the mean."""

    def both(values: Mapping[str, float], form: str) -> str:
        return f"{values['candidate']:{form}} (live {values['live']:{form}})"

    return (
        f"an answer of the candidate has {both(report.words, '.0f')} words, takes "
        f"{both(report.seconds, '.1f')} s, reads and writes {both(report.tokens, '.0f')} tokens; "
        f"declined are {both(report.declined, '.0%')}"
    )


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
    rows = ["| slice | questions | live | candidate | difference (95 %) |", "|---|---|---|---|---|"]
    for one in report.slices:
        live, candidate = (
            "–" if value is None else f"{value:.1f}" for value in (one.live, one.candidate)
        )
        rows.append(f"| {one.name} | {one.clusters} | {live} | {candidate} | {one.interval} |")
    return "\n\n".join(
        (
            "## Gate",
            f"Verdict: **{report.verdict}**. {report.summary}",
            f"{METRIC}. Intervals are a paired bootstrap over clusters of questions. Asked: "
            f"{report.asked} of {report.held_out} questions"
            f"{f'; then it stopped, because {report.stopped}' if report.stopped else ''}.",
            "\n".join(rows),
            f"In the mean {per_answer(report)}. Profile: {report.profile}.",
            *([f"Other tenants: {report.about_others}."] if report.about_others else []),
            *(f"- {count} questions left out: {why}" for why, count in report.left_out.items()),
            *(f"- {reason}" for reason in report.reasons),
        )
    )
