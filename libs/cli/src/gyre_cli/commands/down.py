"""`gyre down`: stops the local system and leaves nothing behind."""

import asyncio

from gyre_local.control import stop_running
from rich.text import Text

from gyre_cli.command import Cli, command


@command
def down(cli: Cli) -> None:
    """Stop the system that was started with `gyre up`."""
    home = cli.settings.home
    with cli.out.notes.status("stopping"):
        stopped = asyncio.run(stop_running(home))
    message = f"stopped the system in {home}" if stopped else f"nothing runs in {home}"
    cli.out.result({"stopped": stopped, "home": str(home)}, lambda: Text(message))
