"""`gyre rollback`: makes the version live that was live before."""

from typing import Annotated

import typer

from gyre_cli.command import Cli, command
from gyre_cli.release_table import change_json, change_lines, requested_tenant


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
    """Go back to the version that was live before.

    What went along with the present one goes back too.
    """
    change = cli.run(
        lambda gyre: gyre.releases.rollback(
            role,
            reason=reason,
            generation=generation,
            tenant=requested_tenant(every_tenant=every_tenant),
        )
    )
    cli.out.result(change_json(change), lambda: change_lines(change))
