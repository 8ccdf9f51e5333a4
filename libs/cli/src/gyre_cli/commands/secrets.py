"""`gyre secrets`: the passwords that the engines ask for, and new ones in their place."""

from typing import Annotated

import typer
from gyre_client.errors import FailedPrecondition
from gyre_local.control import running_state
from gyre_local.secrets import NAMES, Secret
from rich.text import Text

from gyre_cli.command import Cli, command


@command
def secrets(
    cli: Cli,
    rotate: Annotated[bool, typer.Option("--rotate", help="Make new ones.")] = False,
) -> None:
    """Show where the engines' passwords lie.

    What is missing is made.
    """
    home = cli.settings.home
    if rotate and running_state(home) is not None:
        raise FailedPrecondition(
            f"the system in {home} runs with the passwords it has: stop it first with `gyre down`"
        )
    secrets_by_name = {name: Secret.of(home, name) for name in NAMES}
    for secret in secrets_by_name.values():
        if rotate:
            secret.rotate()
        else:
            secret.ensure()
    files = {name: str(secret.path) for name, secret in secrets_by_name.items()}
    cli.out.result(files, lambda: Text("\n".join(files.values())))
