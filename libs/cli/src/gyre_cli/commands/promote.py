"""`gyre promote`: makes a registered version live."""

import asyncio
from typing import Annotated

import typer
from gyre.releases.v1 import releases_pb2
from gyre_common.rpc import call

from gyre_cli.command import Cli, command
from gyre_cli.release_calls import PROMOTE_SECONDS, Change, changed, release_service, tenant_meant
from gyre_cli.release_table import change_json, change_told


@command
def promote(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="As `gyre releases` names it.")],
    version: Annotated[str, typer.Argument(help="As `gyre releases ROLE` names it.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    override: Annotated[
        bool,
        typer.Option("--override", help="Although no gate let it pass; needs --reason."),
    ] = False,
    generation: Annotated[
        int, typer.Option(min=0, help="Only if the role is at this generation; 0 for as it is.")
    ] = 0,
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Make a version live, with what has to go along, unless somebody else is changing the role."""
    request = releases_pb2.PromoteRequest(
        role=role,
        version=version,
        expected_generation=generation,
        reason=reason,
        actor=cli.settings.actor,
        override=override,
        tenant=tenant_meant(every_tenant=every_tenant),
    )
    change = asyncio.run(_promote(cli, request))
    cli.out.result(change_json(change), lambda: change_told(change))


async def _promote(cli: Cli, request: releases_pb2.PromoteRequest) -> Change:
    async with release_service(cli) as stub:

        async def change(seen: int) -> None:
            request.expected_generation = request.expected_generation or seen
            await call(stub.Promote, request, timeout=PROMOTE_SECONDS)

        return await changed(stub, request.role, request.tenant, change)
