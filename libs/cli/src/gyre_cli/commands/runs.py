"""`gyre runs`: the training runs, and one of them."""

from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import InvalidInput

from gyre_cli.command import Cli, command
from gyre_cli.run_view import RunProgress, run_details, run_json, runs_table

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import Run
    from gyre_client import AsyncClient


@command
def runs(
    cli: Cli,
    run: Annotated[
        str,
        typer.Argument(
            help="One run in detail, by its id or the beginning of it; all if left out."
        ),
    ] = "",
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Wait for its end.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop it; it can be resumed.")] = False,
) -> None:
    """Show the training runs, newest first, or one with its gate's report."""
    if not run:
        if follow_it or cancel:
            raise InvalidInput("RUN", "is missing", "name the run, as `gyre runs` shows it")
        all_runs = cli.run(lambda gyre: gyre.runs.list())
        cli.out.result([run_json(one) for one in all_runs], lambda: runs_table(all_runs))
        return
    one = cli.run(lambda gyre: _one(cli, gyre, run, follow_it=follow_it, cancel=cancel))
    cli.out.result(run_json(one), lambda: run_details(one))


async def _one(
    cli: Cli, gyre: "AsyncClient", beginning: str, *, follow_it: bool, cancel: bool
) -> "Run":
    run_id = await gyre.runs.run_id(beginning)
    if cancel:
        return await gyre.runs.cancel(run_id)
    if follow_it:
        with RunProgress(cli.out) as progress:
            return await gyre.runs.follow(run_id, progress.show)
    return await gyre.runs.get(run_id)
