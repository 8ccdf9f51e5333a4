"""The whole local system as a list of processes: four engines, then the services.

`python -m gyre_local.system --home H [ENGINE …]` runs it, or some engines alone, until a signal.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gyre_local.engines import ENGINES
from gyre_local.errors import LocalError
from gyre_local.ports import SERVICES, Ports
from gyre_local.probes import GrpcProbe, HttpProbe
from gyre_local.process import ProcessSpec
from gyre_local.secrets import SESSION_SECRET, Secret
from gyre_local.state import ProcessState
from gyre_local.supervisor import Supervisor, stopped_by_signals

_DRAIN_SECONDS = 20
_STOP_GRACE = _DRAIN_SECONDS + 5.0


def system_specs(home: Path, ports: Ports) -> list[ProcessSpec]:
    """Engines and services.

    Services start together once the engines are up: whatever else one needs (topics, releases),
    it waits for by itself. Raises SetupError when an engine cannot run on this machine.
    """
    home = home.expanduser().absolute()
    env = {
        "GYRE_HOME": str(home),
        "GYRE_PORT_OFFSET": str(ports.offset),
        "GYRE_KAFKA_SERVERS": ports.kafka_servers,
        "GYRE_ELASTICSEARCH_URL": ports.elasticsearch_url,
        "GYRE_CLICKHOUSE_URL": ports.clickhouse_url,
        "GYRE_STORE_URL": f"file://{home}/store",
        "GYRE_DRAIN_SECONDS": str(_DRAIN_SECONDS),
        **_model_server(ports),
    }
    services = [
        ProcessSpec(
            name=name,
            argv=(sys.executable, "-m", f"gyre_{name.replace('-', '_')}.app"),
            env=env,
            probe=GrpcProbe(ports.grpc(name)),
            liveness=HttpProbe(ports.metrics(name), "/healthz"),
            ports=ports.of(name),
            prepare=Secret.of(home, SESSION_SECRET).ensure,
            depends_on=tuple(ENGINES),
            stop_grace=_STOP_GRACE,
        )
        for name in SERVICES
    ]
    return [*(engine(home, ports) for engine in ENGINES.values()), *services]


def _model_server(ports: Ports) -> dict[str, str]:
    """The engine of this system, unless the operator names another server, which is not shown this
    system's key.
    """
    if os.environ.get("GYRE_LLM_URL"):
        return {"GYRE_LLM_KEY": os.environ.get("GYRE_LLM_KEY") or "none"}
    return {"GYRE_LLM_URL": ports.llm_url}


async def run_in_foreground(specs: Sequence[ProcessSpec], home: Path, ports: Ports) -> None:
    """Runs them until a signal, with a line for each change, and returns when all have stopped.

    Raises LocalError when they cannot start.
    """
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


def main() -> None:
    """Runs the whole system, or the engines named on the command line, in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m gyre_local.system", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".gyre"))
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("engines", nargs="*", choices=tuple(ENGINES), help="only these engines")
    arguments = parser.parse_args()
    home = arguments.home.expanduser().absolute()
    try:
        ports = Ports(arguments.port_offset)
        specs = [ENGINES[name](home, ports) for name in arguments.engines]
        asyncio.run(run_in_foreground(specs or system_specs(home, ports), home, ports))
    except LocalError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
