"""Runs and gates as people read them; `train`, `runs` and `demo` share it."""

from collections.abc import Sequence

from gyre.trainer.v1 import trainer_pb2
from gyre_common.events.training import Decision
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from gyre_cli.output import Json, Output, plain, table

_STYLES = {
    "released": "bold green",
    "passed": "green",
    "running": "yellow",
    "refused": "red",
    "failed": "bold red",
}
_METRIC_TEXTS = (
    ("loss", "loss {:.3f}"),
    ("tokens_per_second", "{:.0f} tokens/s"),
    ("seconds_left", "{:.0f} s left"),
)
_BAR = 24


def run_json(run: trainer_pb2.Run) -> dict[str, Json]:
    """Every field."""
    return plain(run)


def runs_table(runs: Sequence[trainer_pb2.Run]) -> RenderableType:
    """One line a run, newest first."""
    rows = table("RUN", "STATE", "RECIPE", "TENANT", "STARTED", "GAIN", "VERSION", "MESSAGE")
    for run in runs:
        overall = next(iter(run.verdict.slices), None)
        rows.add_row(
            run.run_id,
            _state(run),
            run.recipe,
            run.tenant,
            f"{run.started_at.ToDatetime():%Y-%m-%d %H:%M}",
            f"{overall.difference:+.1f}" if overall and overall.HasField("difference") else "",
            run.version,
            Text(run.message or _stage_text(run)),
        )
    return rows


def run_details(run: trainer_pb2.Run) -> RenderableType:
    """One run: what it was, how it went, and what the gate said."""
    facts = table("", "")
    for name, value in (
        ("run", run.run_id),
        ("state", _state(run)),
        ("recipe", f"{run.recipe} for {run.role}, tenant {run.tenant}, profile {run.profile}"),
        ("by", f"{run.actor}{f': {run.reason}' if run.reason else ''}"),
        ("started", f"{run.started_at.ToDatetime():%Y-%m-%d %H:%M:%S}"),
        ("took", _duration(run)),
        ("data set", run.data_set),
        ("votes", str(run.votes) if run.votes else ""),
        ("version", f"{run.version} (from {run.base})" if run.version else ""),
        ("message", Text(run.message or _stage_text(run))),
    ):
        if value:
            facts.add_row(name, value)
    return Group(facts, Text(""), gate_table(run.verdict)) if run.HasField("verdict") else facts


def gate_table(verdict: trainer_pb2.Verdict) -> RenderableType:
    """Live and candidate by slice, in the metric's own unit; then what the verdict rests on."""
    numbers = ("EXAMPLES", "LIVE", "CANDIDATE", "DIFFERENCE")
    rows = table("SLICE", *numbers, "95 % INTERVAL", right=numbers)
    for one in verdict.slices:
        interval = f"{one.low:+.1f} to {one.high:+.1f}" if one.HasField("low") else "–"
        rows.add_row(
            one.name,
            str(one.examples),
            f"{one.live:.1f}" if one.HasField("live") else "–",
            f"{one.candidate:.1f}" if one.HasField("candidate") else "–",
            f"{one.difference:+.1f}" if one.HasField("difference") else "–",
            interval,
        )
    style = "bold green" if verdict.decision == Decision.PASSED else "bold red"
    return Group(
        rows,
        Text(f"\ngate: {verdict.summary}", style=style),
        *(Text(f"  {reason}") for reason in verdict.reasons),
        Text(verdict.metric, style="dim"),
    )


class RunProgress:
    """Shows a run while it goes on: in place on a terminal, elsewhere a line a change of stage."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._live = Live(console=out.notes, auto_refresh=False, transient=True)
        self._last_shown: tuple[str, str, int] = ("", "", 0)

    def __enter__(self) -> "RunProgress":
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, run: trainer_pb2.Run) -> None:
        """Called with each change."""
        if self._out.notes.is_terminal:
            self._live.update(Text(_line(run)), refresh=True)
            return
        quarter = 4 * run.step // run.steps if run.steps else 0
        now = (run.stage, run.message, quarter)
        if now != self._last_shown and run.stage and run.state == "running":
            self._out.note(_line(run), style="")
        self._last_shown = now


def _line(run: trainer_pb2.Run) -> str:
    parts = [f"{run.stage or 'starting':<10}"]
    if run.steps:
        done = _BAR * run.step // run.steps
        parts.append(f"{'━' * done}{'╌' * (_BAR - done)} {run.step}/{run.steps}")
    parts += [
        template.format(run.metrics[name])
        for name, template in _METRIC_TEXTS
        if name in run.metrics
    ]
    parts.append(run.message)
    return "  ".join(part for part in parts if part)


def _stage_text(run: trainer_pb2.Run) -> str:
    return " ".join(_line(run).split()) if run.state == "running" else ""


def _state(run: trainer_pb2.Run) -> Text:
    return Text(run.state, style=_STYLES.get(run.state, "dim"))


def _duration(run: trainer_pb2.Run) -> str:
    if not run.HasField("finished_at"):
        return ""
    seconds = run.finished_at.ToSeconds() - run.started_at.ToSeconds()
    return f"{seconds // 60} min {seconds % 60} s"
