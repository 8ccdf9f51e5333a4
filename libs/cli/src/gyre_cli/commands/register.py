"""`gyre register`: makes a version known that is another one with other settings."""

from typing import Annotated

import typer
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.pairs import pairs
from gyre_cli.release_table import release_json, requested_tenant


@command
def register(
    cli: Cli,
    role: Annotated[str, typer.Argument(help="Such as retrieval.")],
    version: Annotated[str, typer.Argument(help="A name that is not taken.")],
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="What is to differ; repeat it.")
    ],
    based_on: Annotated[
        str, typer.Option("--from", help="The version that it is like otherwise [the live one].")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")] = "",
    every_tenant: Annotated[
        bool,
        typer.Option("--every-tenant", help="The default of all tenants, not the tenant's own."),
    ] = False,
) -> None:
    """Make a version known that is another one with other settings.

    It is not live yet.
    """
    release = cli.run(
        lambda gyre: gyre.releases.register(
            role,
            version,
            pairs(settings),
            based_on=based_on,
            reason=reason,
            tenant=requested_tenant(every_tenant=every_tenant),
        )
    )
    cli.out.result(
        release_json(release),
        lambda: Text(
            f"{role} {version} is registered, {release.live} stays live\n"
            f"make it live: gyre promote {role} {version} --override --reason '…'"
        ),
    )
