"""Runs processes until a signal, with a line for each change: what a log or a script can follow."""

import sys
from collections.abc import Sequence
from pathlib import Path

from gyre_local.ports import Ports
from gyre_local.process import ProcessSpec
from gyre_local.state import ProcessState
from gyre_local.supervisor import Supervisor, stopped_by_signals


async def run_in_foreground(specs: Sequence[ProcessSpec], home: Path, ports: Ports) -> None:
    """Returns when all have stopped. Raises LocalError when they cannot start."""
    printed: dict[str, str] = {}
    async with Supervisor(specs, home, port_offset=ports.offset) as supervisor:
        with stopped_by_signals(supervisor):
            async for state in supervisor.watch():
                for process in state.processes:
                    line = _line(process)
                    if printed.get(process.name) != line:
                        sys.stdout.write(f"{line}\n")
                        sys.stdout.flush()
                        printed[process.name] = line


def _line(process: ProcessState) -> str:
    ports = " ".join(str(port) for port in process.ports.values())
    restarts = f" (restart {process.restarts}: {process.error})" if process.restarts else ""
    return f"{process.name:<18} {process.status:<10} {ports}{restarts}"
