"""`gyre rollback`: makes the version live that was live before."""

import asyncio
from typing import Annotated

import typer
from gyre.releases.v1 import releases_pb2
from gyre_common.rpc import call

from gyre_cli.command import Cli, command
from gyre_cli.release_calls import Change, changed, release_service, tenant_meant
from gyre_cli.release_table import change_json, change_told


@command
def rollback(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="As `gyre releases` names it.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    generation: Annotated[
        int, typer.Option(min=0, help="Only if the role is at this generation; 0 for as it is.")
    ] = 0,
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Go back to the version that was live before the present one, with what went along."""
    request = releases_pb2.RollbackRequest(
        role=role,
        expected_generation=generation,
        reason=reason,
        actor=cli.settings.actor,
        tenant=tenant_meant(every_tenant=every_tenant),
    )
    change = asyncio.run(_rollback(cli, request))
    cli.out.result(change_json(change), lambda: change_told(change))


async def _rollback(cli: Cli, request: releases_pb2.RollbackRequest) -> Change:
    async with release_service(cli) as stub:

        async def change(seen: int) -> None:
            request.expected_generation = request.expected_generation or seen
            await call(stub.Rollback, request)

        return await changed(stub, request.role, request.tenant, change)
