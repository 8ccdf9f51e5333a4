"""A run of the demonstration, which ends with it."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, GyreError
from gyre_client.runs import RUNNING

from gyre_cli.command import Cli
from gyre_cli.commands.runs import begin, follow
from gyre_cli.demo.costs import StageCosts

_GOODBYE_SECONDS = 5.0


async def train(
    cli: Cli, system: AsyncClient, *, recipe: str, settings: Mapping[str, str]
) -> tuple[trainer_pb2.Run, dict[str, float]]:
    """The run when it has ended, and what each of its stages cost in CPU-minutes."""
    costs = StageCosts(cli.settings.home)
    try:
        run = await begin(
            cli,
            system,
            recipe=recipe,
            profile="demo",
            tenant=system.caller.tenant,
            settings=settings,
            reason="gyre demo",
        )
        ended = await follow(cli, system, run.run_id, costs.see)
    except asyncio.CancelledError:
        await stop_training(system)
        raise
    return ended, costs.finish()


async def stop_training(gyre: AsyncClient) -> None:
    """Whoever ends the demonstration does not want its training to go on in the background."""
    with suppress(GyreError):
        for run in await gyre.runs.list():
            if run.state == RUNNING and run.tenant == gyre.caller.tenant:  # not that of all tenants
                await gyre.runs.cancel(run.run_id, timeout=_GOODBYE_SECONDS)
