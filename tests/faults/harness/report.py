"""What a run tells: progress on the screen, and at the end a Markdown and an HTML report."""

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.faults.harness.checker import Verdict
from tests.faults.harness.schedule import Fault, FaultKind

_TEMPLATES = Path(__file__).parent / "templates"
_SCREEN_EVERY = 2.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A fault that happened.

    Attributes:
        fault: as it was scheduled.
        started: seconds since the run began.
        ended: when it was put right, in seconds since the run began.
        in_flight: how much work was under way when it came.
        recovered_in: seconds from `ended` until work got on; None where nobody could tell.
    """

    fault: Fault
    started: float
    ended: float
    in_flight: int
    recovered_in: float | None


@dataclass(frozen=True, kw_only=True)
class ByKind:
    """The outcomes of one kind of fault, for the report's table."""

    kind: FaultKind
    count: int
    with_work: int
    worst_recovery: float | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that is told of a run.

    Attributes:
        title: what ran.
        command: how to run it again.
        seed: of the schedule.
        seconds: how long it took.
        verdict: what the checker says.
        outcomes: the faults, in the order in which they came.
        not_run: kinds of faults that could not run here, and why.
        figures: whatever else was measured, by name.
        problems: what is wrong with the run itself, such as a kill with no work in flight.
    """

    title: str
    command: str
    seed: int
    seconds: float
    verdict: Verdict
    outcomes: Sequence[Outcome]
    not_run: Mapping[FaultKind, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing is broken, and the run proves it."""
        return self.verdict.clean and not self.problems

    @property
    def by_kind(self) -> list[ByKind]:
        """A line for every kind that happened."""
        groups: dict[FaultKind, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            groups[outcome.fault.kind].append(outcome)
        return [
            ByKind(
                kind=kind,
                count=len(outcomes),
                with_work=sum(each.in_flight > 0 for each in outcomes),
                worst_recovery=max(
                    (each.recovered_in for each in outcomes if each.recovered_in is not None),
                    default=None,
                ),
            )
            for kind, outcomes in sorted(groups.items())
        ]

    def to_markdown(self) -> str:
        """The report as Markdown."""
        return _rendered("report.md.jinja", self)

    def to_html(self) -> str:
        """The report as one HTML page without scripts or anything from elsewhere."""
        return _rendered("report.html.jinja", self)

    def write(self, folder: Path) -> Path:
        """Write `report.md` and `report.html` there, and return the path of the first."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.html").write_text(self.to_html(), encoding="utf-8")
        path = folder / "report.md"
        path.write_text(self.to_markdown(), encoding="utf-8")
        return path


def _rendered(template: str, report: Report) -> str:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(report=report, verdict=report.verdict)


class Progress:
    """One line on the screen that says how far a run is; on a terminal it is overwritten."""

    def __init__(self, total: int, screen: TextIO = sys.stderr) -> None:
        self._total = total
        self._screen = screen
        self._started = time.monotonic()
        self._shown_at = -_SCREEN_EVERY

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._started

    def show(self, done: int, faults: int, note: str = "") -> None:
        """Say how much is done; seldom, however often it is called."""
        if self.seconds - self._shown_at < _SCREEN_EVERY:
            return
        self._shown_at = self.seconds
        line = f"{self.seconds:7.0f} s  {done:>9} of {self._total}  {faults:>4} faults  {note}"
        terminal = self._screen.isatty()
        self._screen.write(f"\r{line:<100}" if terminal else f"{line}\n")
        self._screen.flush()

    def say(self, line: str) -> None:
        """A line of its own, which stays."""
        self._screen.write(f"\r{line:<100}\n" if self._screen.isatty() else f"{line}\n")
        self._screen.flush()
