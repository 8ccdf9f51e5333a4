"""Runs as `train`, `runs` and `demo` begin, follow and show them."""

import asyncio
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from gyre.trainer.v1 import trainer_pb2
from gyre_client.errors import FailedPrecondition
from gyre_client.runs import RUNNING
from gyre_common.events.training import Decision
from gyre_local.control import running_state
from gyre_local.setup import PROJECT
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gyre_cli.command import Cli
from gyre_cli.output import Output, minute, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_PACKAGES_MISSING = "training-packages-missing"
_STYLES = {
    "released": "bold green",
    "passed": "green",
    RUNNING: "yellow",
    "refused": "red",
    "failed": "bold red",
}
_METRIC_TEXTS = (
    ("loss", "loss {:.3f}"),
    ("tokens_per_second", "{:.0f} tokens/s"),
    ("seconds_left", "{:.0f} s left"),
)
_BAR = 24


async def begin(cli: Cli, gyre: "AsyncClient", **request: Any) -> trainer_pb2.Run:
    """Start a run, as `Runs.start` takes it; the first on a local system installs what it needs.

    Raises what that does; FailedPrecondition when the packages cannot be installed.
    """
    try:
        return await gyre.runs.start(**request)
    except FailedPrecondition as error:
        if error.code != _PACKAGES_MISSING or running_state(cli.settings.home) is None:
            raise
    await asyncio.to_thread(_install, cli)
    return await gyre.runs.start(**request)


def _install(cli: Cli) -> None:
    """The trainer finds them without a restart: each verb of a run is a new process."""
    cli.out.note(
        "installing what training needs (PyTorch, DeepSpeed: about 6 GB on disk, once) by "
        "`make setup-train`",
        style="bold",
    )
    result = subprocess.run(
        ("make", "--no-print-directory", "setup-train"),
        cwd=PROJECT.parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stdout.strip().splitlines() or ["no word why"])[-1]
        raise FailedPrecondition(f"`make setup-train` failed ({last}): run it by hand")


async def follow(cli: Cli, gyre: "AsyncClient", run_id: str) -> trainer_pb2.Run:
    """The run when it has ended; how far it is meanwhile is shown."""
    with RunProgress(cli.out) as progress:
        return await gyre.runs.follow(run_id, progress.show)


class RunProgress:
    """Shows a run while it goes on: in place on a terminal, elsewhere a line a change of stage."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._live = Live(console=out.notes, auto_refresh=False, transient=True)
        self._last_shown: tuple[str, str, int] = ("", "", 0)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, run: trainer_pb2.Run) -> None:
        """Called with each change."""
        if self._out.notes.is_terminal:
            self._live.update(Text(_line(run)), refresh=True)
            return
        quarter = 4 * run.step // run.steps if run.steps else 0
        now = (run.stage, run.message, quarter)
        if now != self._last_shown and run.stage and run.state == RUNNING:
            self._out.note(_line(run), style="")
        self._last_shown = now


def runs_table(runs: Sequence[trainer_pb2.Run]) -> Table:
    """One line a run, newest first."""
    rows = table("RUN", "STATE", "RECIPE", "TENANT", "STARTED", "GAIN", "VERSION", "MESSAGE")
    for run in runs:
        overall = next(iter(run.verdict.slices), None)
        rows.add_row(
            run.run_id,
            _state(run),
            run.recipe,
            run.tenant,
            minute(run.started_at),
            f"{overall.difference:+.1f}" if overall and overall.HasField("difference") else "",
            run.version,
            run.message or _stage_text(run),
        )
    return rows


def run_details(run: trainer_pb2.Run) -> Group:
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
        ("votes", str(run.votes or "")),
        ("version", f"{run.version} (from {run.base})" if run.version else ""),
        ("message", run.message or _stage_text(run)),
    ):
        if value:
            facts.add_row(name, value)
    return Group(facts, "", gate_table(run.verdict)) if run.HasField("verdict") else Group(facts)


def gate_table(verdict: trainer_pb2.Verdict) -> Group:
    """Live and candidate by slice, in the metric's own unit; then what the verdict rests on."""
    numbers = ("EXAMPLES", "LIVE", "CANDIDATE", "DIFFERENCE")
    rows = table("SLICE", *numbers, "95 % INTERVAL", right=numbers)
    for one in verdict.slices:
        rows.add_row(
            one.name,
            str(one.examples),
            f"{one.live:.1f}" if one.HasField("live") else "–",
            f"{one.candidate:.1f}" if one.HasField("candidate") else "–",
            f"{one.difference:+.1f}" if one.HasField("difference") else "–",
            f"{one.low:+.1f} to {one.high:+.1f}" if one.HasField("low") else "–",
        )
    style = "bold green" if verdict.decision == Decision.PASSED else "bold red"
    return Group(
        rows,
        Text(f"\ngate: {verdict.summary}", style=style),
        *(f"  {reason}" for reason in verdict.reasons),
        Text(verdict.metric, style="dim"),
    )


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
    return " ".join(_line(run).split()) if run.state == RUNNING else ""


def _state(run: trainer_pb2.Run) -> Text:
    return Text(run.state, style=_STYLES.get(run.state, "dim"))


def _duration(run: trainer_pb2.Run) -> str:
    if not run.HasField("finished_at"):
        return ""
    seconds = run.finished_at.ToSeconds() - run.started_at.ToSeconds()
    return f"{seconds // 60} min {seconds % 60} s"
