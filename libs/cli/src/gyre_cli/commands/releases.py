"""`gyre releases`: which version of every role is live."""

import asyncio
from typing import Annotated

import typer

from gyre_cli.command import Cli, command
from gyre_cli.release_calls import Releases, listed, release_service, tenant_meant
from gyre_cli.release_table import release_details, release_json, releases_table


@command
def releases(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="One role in detail; all if left out.")] = "",
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Show which version of every role is live, or every version of one role and its gate."""
    found = asyncio.run(_list(cli, role, tenant_meant(every_tenant=every_tenant)))
    cli.out.result(
        [release_json(release) for release in found.values()],
        lambda: release_details(found[role]) if role else releases_table(list(found.values())),
    )


async def _list(cli: Cli, role: str, tenant: str) -> Releases:
    async with release_service(cli) as stub:
        return await listed(stub, tenant, role)
