"""The local system: `gyre up` runs it, `gyre open` shows its page, `gyre down` stops it, `gyre
secrets` says where its secrets lie.
"""

import asyncio
import sys
import time
import webbrowser
from collections.abc import AsyncIterator
from typing import Annotated

import typer
from gyre_common.errors import FailedPrecondition
from gyre_local.control import launch, running_state, stop_running
from gyre_local.ports import Ports
from gyre_local.secrets import NAMES, Secret
from gyre_local.state import Status, SystemState
from gyre_local.supervisor import Supervisor, raise_if_hopeless, stopped_by_signals
from gyre_local.system import system_specs
from rich.live import Live
from typer import Option

from gyre_cli.command import Cli, command
from gyre_cli.commands.status import system_json, system_table
from gyre_cli.output import Output

READY_WITHIN_SECONDS = 180.0


@command
def up(
    cli: Cli,
    detach: Annotated[
        bool, Option("--detach", "-d", help="Return when all is ready; stop by `gyre down`.")
    ] = False,
) -> None:
    """Start engines and services, and keep them running."""
    asyncio.run(_in_background(cli) if detach else _in_foreground(cli))


@command
def open(  # noqa: A001 (the command's name)
    cli: Cli,
    address_only: Annotated[
        bool, Option("--address", help="Print its address, and open nothing.")
    ] = False,
) -> None:
    """Open the web page of the local system."""
    if running_state(cli.settings.home) is None:
        raise FailedPrecondition(f"nothing runs in {cli.settings.home}: start it with `gyre up`")
    url = f"http://127.0.0.1:{Ports(cli.settings.port_offset).http}/"
    opened = not address_only and webbrowser.open(url)
    cli.out.result({"url": url, "opened": opened}, lambda: url)


@command
def down(cli: Cli) -> None:
    """Stop the system that was started with `gyre up`."""
    home = cli.settings.home
    with cli.out.notes.status("stopping"):
        stopped = asyncio.run(stop_running(home))
    message = f"stopped the system in {home}" if stopped else f"nothing runs in {home}"
    cli.out.result({"stopped": stopped, "home": str(home)}, lambda: message)


@command
def secrets(
    cli: Cli,
    rotate: Annotated[bool, Option("--rotate", help="Make new ones.")] = False,
) -> None:
    """Show where the local system's secrets lie.

    What is missing is made.
    """
    home = cli.settings.home
    if rotate and running_state(home) is not None:
        raise FailedPrecondition(
            f"the system in {home} runs with the secrets it has: stop it first with `gyre down`"
        )
    files = {}
    for name in NAMES:
        secret = Secret.of(home, name)
        if rotate:
            secret.rotate()
        else:
            secret.ensure()
        files[name] = str(secret.path)
    cli.out.result(files, lambda: "\n".join(files.values()))


async def _in_foreground(cli: Cli) -> None:
    home, ports = cli.settings.home, Ports(cli.settings.port_offset)
    specs = system_specs(home, ports)
    async with Supervisor(specs, home, port_offset=ports.offset) as supervisor:
        with stopped_by_signals(supervisor):
            states = supervisor.watch()
            ready = await _show_until_ready(states, cli.out)
            if ready is not None:
                cli.out.note("Ctrl-C stops everything")
            before = ready
            async for state in states:
                _print_changes(before, state, cli.out)
                before = state
    if ready is None:
        raise typer.Abort  # Ctrl-C came first: whoever waits for a system has none


async def _in_background(cli: Cli) -> None:
    home, ports = cli.settings.home, Ports(cli.settings.port_offset)
    running = running_state(home)
    if running is not None:
        await _join(running, cli)
        return
    system_specs(home, ports)  # says what is missing before anything is started
    where = ("--home", str(home), "--port-offset", str(ports.offset))
    argv = (sys.executable, "-m", "gyre_cli.main", "up", *where)
    states = launch(argv, home, deadline_seconds=READY_WITHIN_SECONDS)
    try:
        await _show_until_ready(states, cli.out)
    except asyncio.CancelledError:
        await stop_running(home)
        raise


async def _join(running: SystemState, cli: Cli) -> None:
    """Somebody has started it already: wait with them."""
    home = cli.settings.home
    if running.port_offset != cli.settings.port_offset:
        raise FailedPrecondition(
            f"a system already runs in {home} with port offset {running.port_offset}: "
            "stop it with `gyre down` or choose another folder with --home"
        )
    cli.out.note(f"already running in {home} (pid {running.supervisor.pid})")
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    state: SystemState | None = running
    while state is not None and not state.ready:
        raise_if_hopeless(state)
        if time.monotonic() > deadline:
            raise FailedPrecondition("it does not become ready: see `gyre status`, `gyre logs`")
        await asyncio.sleep(0.2)
        state = running_state(home)
    if state is None:
        raise FailedPrecondition("it stopped meanwhile: start it again with `gyre up`")
    _print_ready(state, cli.out)


async def _show_until_ready(states: AsyncIterator[SystemState], out: Output) -> SystemState | None:
    """The table changes in place on a terminal; elsewhere each change is a line."""
    began, before = time.monotonic(), None
    with Live(console=out.notes, auto_refresh=False, transient=not out.as_json) as live:
        async for state in states:
            raise_if_hopeless(state)
            if out.notes.is_terminal:
                live.update(system_table(state), refresh=True)
            else:
                _print_changes(before, state, out)
            before = state
            if state.ready:
                live.update("")
                seconds = time.monotonic() - began
                page = f"http://127.0.0.1:{Ports(state.port_offset).http}/"
                out.note(f"ready in {seconds:.1f} s: {page}", style="bold green")
                break
        else:
            return None
    _print_ready(state, out)
    return state


def _print_ready(state: SystemState, out: Output) -> None:
    out.result(system_json(state), lambda: system_table(state))


def _print_changes(before: SystemState | None, now: SystemState, out: Output) -> None:
    status_before = {one.name: one.status for one in before.processes} if before else {}
    for process in now.processes:
        if status_before.get(process.name) != process.status:
            because = f": {process.error}" if process.status is Status.RESTARTING else ""
            out.note(f"{process.name:<18} {process.status}{because}", style="")
