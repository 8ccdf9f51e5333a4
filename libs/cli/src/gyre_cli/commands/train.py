"""`gyre train`: makes a better version out of what people said, and releases it if it is better."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.pairs import pairs
from gyre_cli.release_table import requested_tenant
from gyre_cli.run_calls import GOOD, begin, check
from gyre_cli.run_view import RunProgress, gate_table, run_details, run_json

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import Run
    from gyre_client import AsyncClient


@command
def train(
    cli: Cli,
    recipe: Annotated[str, typer.Option(help="What to train.")] = "query-encoder",
    profile: Annotated[
        str, typer.Option(help="default; demo takes fewer votes, which is recorded.")
    ] = "default",
    every_tenant: Annotated[
        bool, typer.Option("--every-tenant", help="Train the default of all, from all their votes.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the recipe; repeatable.")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Leave a version that passes unreleased.")
    ] = False,
    resume: Annotated[str, typer.Option(help="Go on with this run instead.")] = "",
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return at once; see `gyre runs`.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
) -> None:
    """Train on the votes so far, and release what is better.

    A gate judges the result on held-out questions first.

    Ctrl-C lets go of the run, which goes on; `gyre runs RUN --cancel` stops it.
    """
    request = {
        "recipe": recipe,
        "profile": profile,
        "tenant": requested_tenant(every_tenant=every_tenant),
        "settings": pairs(settings or []),
        "hold": hold,
        "resume": resume,
        "reason": reason,
    }
    run = cli.run(lambda gyre: _train(cli, gyre, request, detach=detach))
    cli.out.result(run_json(run), lambda: _result_page(run) if not detach else run_details(run))
    check(run)


async def _train(cli: Cli, gyre: "AsyncClient", request: dict[str, Any], *, detach: bool) -> "Run":
    if request["resume"]:
        request["resume"] = await gyre.runs.run_id(request["resume"])
    run = await begin(cli, gyre, **request)
    if detach:
        return run
    cli.out.note(f"run {run.run_id}")
    try:
        with RunProgress(cli.out) as progress:
            return await gyre.runs.follow(run.run_id, progress.show)
    except asyncio.CancelledError:
        cli.out.note(
            f"the run goes on: `gyre runs {run.run_id} --follow` shows it, "
            f"`gyre runs {run.run_id} --cancel` stops it",
            style="bold",
        )
        raise


def _result_page(run: "Run") -> Group:
    parts = [gate_table(run.verdict), Text("")] if run.HasField("verdict") else []
    outcome = f"{run.state}: {run.version or run.run_id}"
    why = [Text(run.message)] if run.state in GOOD else []
    return Group(*parts, Text(outcome, style="bold"), *why)
