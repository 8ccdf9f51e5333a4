"""`gyre train`: makes a better version out of what people said, and releases it if it is better."""

import asyncio
from typing import Annotated

import typer
from gyre.trainer.v1 import trainer_pb2
from gyre_common.errors import InvalidInput
from rich.console import Group
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.release_calls import tenant_meant
from gyre_cli.run_calls import GOOD, begin, check, follow, trainer
from gyre_cli.run_view import RunProgress, gate_table, run_details, run_json


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
    """Train on the votes so far, judge the result on held-out questions, release what is better.

    Ctrl-C lets go of the run, which goes on; `gyre runs RUN --cancel` stops it.
    """
    request = trainer_pb2.StartRunRequest(
        recipe=recipe,
        profile=profile,
        tenant=tenant_meant(every_tenant=every_tenant),
        settings=_pairs(settings or []),
        hold=hold,
        resume=resume,
        actor=cli.settings.actor,
        reason=reason,
    )
    run = asyncio.run(_train(cli, request, detach=detach))
    cli.out.result(run_json(run), lambda: _ended(run) if not detach else run_details(run))
    check(run)


async def _train(
    cli: Cli, request: trainer_pb2.StartRunRequest, *, detach: bool
) -> trainer_pb2.Run:
    async with trainer(cli) as stub:
        run = await begin(cli, stub, request)
        if detach:
            return run
        cli.out.note(f"run {run.run_id}")
        try:
            with RunProgress(cli.out) as progress:
                return await follow(stub, run.run_id, progress.tell)
        except asyncio.CancelledError:
            cli.out.note(
                f"the run goes on: `gyre runs {run.run_id} --follow` shows it, "
                f"`gyre runs {run.run_id} --cancel` stops it",
                style="bold",
            )
            raise


def _ended(run: trainer_pb2.Run) -> Group:
    parts = [gate_table(run.verdict), Text("")] if run.HasField("verdict") else []
    said = f"{run.state}: {run.version or run.run_id}"
    why = [Text(run.message)] if run.state in GOOD else []
    return Group(*parts, Text(said, style="bold"), *why)


def _pairs(written: list[str]) -> dict[str, str]:
    pairs = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise InvalidInput("--set", f"is {one}", "write NAME=VALUE")
        pairs[name] = value
    return pairs
