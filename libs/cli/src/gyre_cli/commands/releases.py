"""`gyre releases`: which version of every role is live."""

import asyncio
from typing import Annotated

import typer
from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_common.rpc import call

from gyre_cli.command import Cli, command
from gyre_cli.release_table import release_details, release_json, releases_table
from gyre_cli.rpc import connected


@command
def releases(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="One role in detail; all if left out.")] = "",
) -> None:
    """Show which version of every role is live, or every version of one role."""
    found = asyncio.run(_list(cli, role))
    cli.out.result(
        [release_json(release) for release in found],
        lambda: release_details(found[0]) if role else releases_table(found),
    )


async def _list(cli: Cli, role: str) -> list[trainer_pb2.Release]:
    settings = cli.settings
    async with connected(TrainerServiceStub, settings.trainer_address, settings) as stub:
        reply = await call(stub.ListReleases, trainer_pb2.ListReleasesRequest(role=role))
        return list(reply.releases)
