"""`gyre releases`: which version of every role is live."""

from typing import Annotated

import typer

from gyre_cli.command import Cli, command
from gyre_cli.release_table import release_details, release_json, releases_table, requested_tenant


@command
def releases(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="One role in detail; all if left out.")] = "",
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Show which version of every role is live, or all of one role.

    Of one role: every version, and what its gate found.
    """
    tenant = requested_tenant(every_tenant=every_tenant)
    by_role = cli.run(lambda gyre: gyre.releases.list(role, tenant=tenant))
    cli.out.result(
        [release_json(release) for release in by_role.values()],
        lambda: release_details(by_role[role]) if role else releases_table(list(by_role.values())),
    )
