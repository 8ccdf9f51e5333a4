"""`gyre train`: makes a better version out of what people said. `gyre runs`: how that went."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from gyre_client.errors import GyreError, InvalidInput
from gyre_client.releases import EVERY_TENANT
from gyre_client.runs import RUNNING
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, Reason, command, pairs
from gyre_cli.output import plain
from gyre_cli.training import begin, follow, gate_table, run_details, runs_table

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import Run
    from gyre_client import AsyncClient

_GOOD = frozenset({"released", "passed"})


@command
def train(
    cli: Cli,
    recipe: Annotated[str, Option(help="What to train.")] = "query-encoder",
    profile: Annotated[
        str, Option(help="default; demo takes fewer votes, which is recorded.")
    ] = "default",
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

    A gate judges the result on held-out questions first.

    Ctrl-C lets go of the run, which goes on; `gyre runs RUN --cancel` stops it.
    """
    request = {
        "recipe": recipe,
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


async def _train(cli: Cli, gyre: "AsyncClient", request: dict[str, Any], *, detach: bool) -> "Run":
    if request["resume"]:
        request["resume"] = await gyre.runs.run_id(request["resume"])
    run = await begin(cli, gyre, **request)
    if detach:
        return run
    cli.out.note(f"run {run.run_id}")
    try:
        return await follow(cli, gyre, run.run_id)
    except asyncio.CancelledError:
        cli.out.note(
            f"the run goes on: `gyre runs {run.run_id} --follow` shows it, "
            f"`gyre runs {run.run_id} --cancel` stops it",
            style="bold",
        )
        raise


def _result_page(run: "Run") -> Group:
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

    async def one_run(gyre: "AsyncClient") -> "Run":
        run_id = await gyre.runs.run_id(run)
        if cancel:
            return await gyre.runs.cancel(run_id)
        return await (follow(cli, gyre, run_id) if follow_it else gyre.runs.get(run_id))

    one = cli.run(one_run)
    cli.out.result(plain(one), lambda: run_details(one))
