"""`gyre runs`: the training runs, and one of them."""

import asyncio
from typing import Annotated

import typer
from gyre.trainer.v1 import trainer_pb2
from gyre_common.errors import InvalidInput
from gyre_common.rpc import call

from gyre_cli.command import Cli, command
from gyre_cli.run_calls import follow, trainer
from gyre_cli.run_view import RunProgress, run_details, run_json, runs_table

_CANCEL_SECONDS = 60.0


@command
def runs(
    cli: Cli,
    run: Annotated[str, typer.Argument(help="One run in detail; all if left out.")] = "",
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Wait for its end.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop it; it can be resumed.")] = False,
) -> None:
    """Show the training runs, newest first, or one with its gate's report."""
    if not run:
        if follow_it or cancel:
            raise InvalidInput("RUN", "is missing", "name the run, as `gyre runs` shows it")
        found = asyncio.run(_list(cli))
        cli.out.result([run_json(one) for one in found], lambda: runs_table(found))
        return
    one = asyncio.run(_one(cli, run, follow_it=follow_it, cancel=cancel))
    cli.out.result(run_json(one), lambda: run_details(one))


async def _list(cli: Cli) -> list[trainer_pb2.Run]:
    async with trainer(cli) as stub:
        reply = await call(stub.ListRuns, trainer_pb2.ListRunsRequest())
        return list(reply.runs)


async def _one(cli: Cli, run_id: str, *, follow_it: bool, cancel: bool) -> trainer_pb2.Run:
    async with trainer(cli) as stub:
        if cancel:
            request = trainer_pb2.CancelRunRequest(run_id=run_id, actor=cli.settings.actor)
            stopped: trainer_pb2.Run = (
                await call(stub.CancelRun, request, timeout=_CANCEL_SECONDS)
            ).run
            return stopped
        if follow_it:
            with RunProgress(cli.out) as progress:
                return await follow(stub, run_id, progress.tell)
        reply = await call(stub.GetRun, trainer_pb2.GetRunRequest(run_id=run_id))
        found: trainer_pb2.Run = reply.run
        return found
