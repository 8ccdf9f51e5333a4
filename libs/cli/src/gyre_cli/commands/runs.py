"""`gyre train`: makes a better version out of what people said. `gyre runs`: how that went.

The demonstration begins, follows and shows its run in the same way.
"""

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING, Annotated, Any

from gyre.trainer.v1.trainer_pb2 import Run, Verdict
from gyre_client.errors import FailedPrecondition, GyreError, InvalidInput
from gyre_client.releases import EVERY_TENANT
from gyre_client.runs import RUNNING
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, Reason, command, pairs
from gyre_cli.output import Output, minute, plain, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_GOOD = frozenset({"released", "passed"})
_PACKAGES_MISSING = "training-packages-missing"
_TRAINING_PACKAGES = "what training needs (PyTorch, DeepSpeed: about 6 GB on disk, once)"
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


@command
def train(
    cli: Cli,
    role: Annotated[
        str,
        Argument(
            help="What to train: query-encoder if not given; generator, prompt/answer, judge."
        ),
    ] = "",
    recipe: Annotated[str, Option(help="How, by name; see the guide on training.")] = "",
    profile: Annotated[
        str, Option(help="default; demo takes fewer votes, which is recorded.")
    ] = "",
    every_tenant: Annotated[
        bool, Option("--every-tenant", help="Train the default of all, from all their votes.")
    ] = False,
    settings: Annotated[
        list[str] | None, Option("--set", help="NAME=VALUE of the recipe; repeatable.")
    ] = None,
    hold: Annotated[bool, Option("--hold", help="Leave a version that passes unreleased.")] = False,
    resume: Annotated[str, Option(help="Go on with this run instead.")] = "",
    detach: Annotated[
        bool, Option("--detach", "-d", help="Return at once; see `gyre runs`.")
    ] = False,
    reason: Reason = "",
) -> None:
    """Train on the votes so far, and release what is better.

    `gyre train generator` learns from corrections and liked answers instead, `gyre train
    prompt/answer` makes examples of them. A gate judges the result on held-out questions first.

    Ctrl-C lets go of the run, which goes on; `gyre runs RUN --cancel` stops it.
    """
    request = {
        "recipe": recipe,
        "role": role,
        "profile": profile,
        "tenant": EVERY_TENANT if every_tenant else "",
        "settings": pairs(settings or []),
        "hold": hold,
        "resume": resume,
        "reason": reason,
    }
    run = cli.run(lambda gyre: _train(cli, gyre, request, detach=detach))
    cli.out.result(plain(run), lambda: run_details(run) if detach else _result_page(run))
    if run.state not in (*_GOOD, RUNNING):
        raise GyreError(f"run {run.run_id} {run.state}: {run.message}")


async def _train(cli: Cli, gyre: "AsyncClient", request: dict[str, Any], *, detach: bool) -> Run:
    if request["resume"]:
        request["resume"] = await gyre.runs.run_id(request["resume"])
    run: Run | None = None
    try:
        run = await begin(cli, gyre, **request)
        if detach:
            return run
        cli.out.note(f"run {run.run_id}")
        return await follow(cli, gyre, run.run_id)
    except asyncio.CancelledError:
        cli.out.note(
            f"the run goes on: `gyre runs {run.run_id} --follow` shows it, "
            f"`gyre runs {run.run_id} --cancel` stops it"
            if run
            else "the run may have begun: `gyre runs` shows it",
            style="bold",
        )
        raise


def _result_page(run: Run) -> Group:
    parts: list[RenderableType] = [gate_table(run.verdict), ""] if run.HasField("verdict") else []
    parts.append(Text(f"{run.state}: {run.version or run.run_id}", style="bold"))
    if run.state in _GOOD:
        parts.append(run.message)
    return Group(*parts)


@command
def runs(
    cli: Cli,
    run: Annotated[
        str,
        Argument(help="One run in detail, by its id or the beginning of it; all if left out."),
    ] = "",
    follow_it: Annotated[bool, Option("--follow", "-f", help="Wait for its end.")] = False,
    cancel: Annotated[bool, Option("--cancel", help="Stop it; it can be resumed.")] = False,
) -> None:
    """Show the training runs, newest first, or one with its gate's report."""
    if not run:
        if follow_it or cancel:
            raise InvalidInput("RUN", "is missing", "name the run, as `gyre runs` shows it")
        every = cli.run(lambda gyre: gyre.runs.list())
        cli.out.result([plain(one) for one in every], lambda: runs_table(every))
        return

    async def one_run(gyre: "AsyncClient") -> Run:
        run_id = await gyre.runs.run_id(run)
        if cancel:
            return await gyre.runs.cancel(run_id)
        return await (follow(cli, gyre, run_id) if follow_it else gyre.runs.get(run_id))

    one = cli.run(one_run)
    cli.out.result(plain(one), lambda: run_details(one))


async def begin(cli: Cli, gyre: "AsyncClient", **request: Any) -> Run:
    """Start a run, as `Runs.start` takes it; the first on a local system installs what it needs.

    Raises what that does; FailedPrecondition when the packages cannot be installed.
    """
    from gyre_local.control import running_state  # slow, and who looks at runs need not wait

    try:
        return await gyre.runs.start(**request)
    except FailedPrecondition as error:
        if error.code != _PACKAGES_MISSING or running_state(cli.settings.home) is None:
            raise
    await asyncio.to_thread(install, cli, "setup-train", _TRAINING_PACKAGES)
    return await gyre.runs.start(**request)


def install(cli: Cli, target: str, what: str) -> None:
    """Run that target of the Makefile. Services find what it brings without a restart. Raises
    FailedPrecondition.
    """
    from gyre_local.setup import PROJECT

    cli.out.note(f"installing {what} by `make {target}`", style="bold")
    make = ("make", "--no-print-directory", target)
    result = subprocess.run(
        make, cwd=PROJECT.parents[1], stdout=PIPE, stderr=STDOUT, text=True, check=False
    )
    if result.returncode != 0:
        last = (result.stdout.strip().splitlines() or ["no word why"])[-1]
        raise FailedPrecondition(f"`make {target}` failed ({last}): run it by hand")


async def follow(
    cli: Cli, gyre: "AsyncClient", run_id: str, see: Callable[[Run], None] = lambda _: None
) -> Run:
    """The run when it has ended; how far it is meanwhile is shown, and given to `see`."""
    with shown_progress(cli.out) as show:

        def on_change(run: Run) -> None:
            see(run)
            show(run)

        return await gyre.runs.follow(run_id, on_change)


@contextmanager
def shown_progress(out: Output) -> Iterator[Callable[[Run], None]]:
    """Yields what shows a run: in place on a terminal, elsewhere a line a change of stage."""
    last_shown: tuple[str, str, int] = ("", "", 0)

    def show(run: Run) -> None:
        nonlocal last_shown
        if out.notes.is_terminal:
            live.update(Text(_line(run)), refresh=True)
            return
        quarter = 4 * run.step // run.steps if run.steps else 0
        now = (run.stage, run.message, quarter)
        if now != last_shown and run.stage and run.state == RUNNING:
            out.note(_line(run), style="")
        last_shown = now

    with Live(console=out.notes, auto_refresh=False, transient=True) as live:
        yield show


def runs_table(runs: Sequence[Run]) -> Table:
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


def run_details(run: Run) -> Group:
    """One run: what it was, how it went, and what the gate said."""
    facts = table("", "")
    seconds = run.finished_at.ToSeconds() - run.started_at.ToSeconds()
    for name, value in (
        ("run", run.run_id),
        ("state", _state(run)),
        ("recipe", f"{run.recipe} for {run.role}, tenant {run.tenant}, profile {run.profile}"),
        ("by", f"{run.actor}{f': {run.reason}' if run.reason else ''}"),
        ("started", f"{run.started_at.ToDatetime():%Y-%m-%d %H:%M:%S}"),
        ("took", f"{seconds // 60} min {seconds % 60} s" if run.HasField("finished_at") else ""),
        ("data set", run.data_set),
        ("votes", str(run.votes or "")),
        ("version", f"{run.version} (from {run.base})" if run.version else ""),
        ("message", run.message or _stage_text(run)),
    ):
        if value:
            facts.add_row(name, value)
    return Group(facts, "", gate_table(run.verdict)) if run.HasField("verdict") else Group(facts)


def gate_table(verdict: Verdict) -> Group:
    """Live and candidate by slice, in the metric's own unit; then what the verdict rests on."""
    from gyre_common.events.training import Decision  # with all models of events

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
        *([Text(verdict.explanation, style="dim")] if verdict.explanation else ()),
    )


def _line(run: Run) -> str:
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


def _stage_text(run: Run) -> str:
    return " ".join(_line(run).split()) if run.state == RUNNING else ""


def _state(run: Run) -> Text:
    return Text(run.state, style=_STYLES.get(run.state, "dim"))
