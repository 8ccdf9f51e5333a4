"""`gyre status`: what runs, where, how big it is, how far behind and what troubles it."""

import asyncio

from gyre_client.errors import Unavailable
from gyre_local.control import running_state
from gyre_local.ports import Ports
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.lag import lags, problems
from gyre_cli.output import table
from gyre_cli.system_table import Lags, Problems, system_json, system_table

_NAMES = {"feedback": "feedback-collector"}
"""A service whose contract has another name than it has itself."""


@command
def status(cli: Cli) -> None:
    """Show what runs: state, process, port, memory, restarts and lag."""
    state = running_state(cli.settings.home)
    if state is None:
        _elsewhere(cli)
        return
    behind, troubles = asyncio.run(_of_services(Ports(state.port_offset)))
    cli.out.result(
        system_json(state, behind, troubles), lambda: system_table(state, behind, troubles)
    )


async def _of_services(ports: Ports) -> tuple[Lags, Problems]:
    return await asyncio.gather(lags(ports), problems(ports))


def _elsewhere(cli: Cli) -> None:
    """No supervisor of ours: ask the services themselves, wherever the settings say they are."""
    settings = cli.settings
    serving = cli.run(lambda gyre: gyre.serving())
    if not any(serving.values()):
        raise Unavailable(
            f"nothing runs in {settings.home}, and no service answers (the generator would be at "
            f"{settings.addresses.generator}): start one with `gyre up`, or set GYRE_HOME or "
            "GYRE_…_ADDRESS"
        )
    services: list[dict[str, str]] = [
        {
            "service": _NAMES.get(name, name),
            "state": "ready" if serves else "no answer",
            "address": str(getattr(settings.addresses, name)),
        }
        for name, serves in serving.items()
    ]
    rows = table("SERVICE", "STATE", "ADDRESS")
    for one in services:
        style = "green" if one["state"] == "ready" else "red"
        rows.add_row(one["service"], Text(one["state"], style=style), one["address"])
    cli.out.result({"ready": all(serving.values()), "services": services}, lambda: rows)
