"""`gyre promote`: makes a registered version live."""

from typing import Annotated

import typer

from gyre_cli.command import Cli, command
from gyre_cli.release_table import change_json, change_lines, requested_tenant


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
    """Make a version live, with what has to go along.

    Refused when somebody else is changing the role.
    """
    change = cli.run(
        lambda gyre: gyre.releases.promote(
            role,
            version,
            reason=reason,
            override=override,
            generation=generation,
            tenant=requested_tenant(every_tenant=every_tenant),
        )
    )
    cli.out.result(change_json(change), lambda: change_lines(change))
