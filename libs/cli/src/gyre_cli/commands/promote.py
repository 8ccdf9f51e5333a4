"""`gyre promote`: makes a registered version live."""

import asyncio
from typing import Annotated

import typer
from gyre.trainer.v1 import trainer_pb2
from gyre.trainer.v1.trainer_pb2_grpc import TrainerServiceStub
from gyre_common.rpc import call

from gyre_cli.command import Cli, command
from gyre_cli.release_table import change_told, release_json
from gyre_cli.rpc import connected


@command
def promote(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="As `gyre releases` names it.")],
    version: Annotated[str, typer.Argument(help="As `gyre releases ROLE` names it.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    generation: Annotated[
        int, typer.Option(min=0, help="Only if the role is at this generation; 0 for as it is.")
    ] = 0,
) -> None:
    """Make a version live, unless somebody else changes the role at the same time."""
    before, after = asyncio.run(_promote(cli, role, version, reason, generation))
    cli.out.result(release_json(after), lambda: change_told(before, after))


async def _promote(
    cli: Cli, role: str, version: str, reason: str, generation: int
) -> tuple[trainer_pb2.Release, trainer_pb2.Release]:
    settings = cli.settings
    async with connected(TrainerServiceStub, settings.trainer_address, settings) as stub:
        seen = await call(stub.ListReleases, trainer_pb2.ListReleasesRequest(role=role))
        before = seen.releases[0]
        reply = await call(
            stub.Promote,
            trainer_pb2.PromoteRequest(
                role=role,
                version=version,
                expected_generation=generation or before.generation,
                reason=reason,
                actor=settings.actor,
            ),
        )
        return before, reply.release
