"""The whole local system as a list of processes: three engines, then the services."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from gyre_local.engines import ENGINES
from gyre_local.errors import LocalError
from gyre_local.foreground import run_in_foreground
from gyre_local.ports import SERVICES, Ports
from gyre_local.probes import GrpcProbe, HttpProbe
from gyre_local.process import ProcessSpec

_DRAIN_SECONDS = 20
_STOP_GRACE = _DRAIN_SECONDS + 5.0


def system_specs(home: Path, ports: Ports, env: Mapping[str, str]) -> list[ProcessSpec]:
    """Engines and services; `env` is added to what each service is told.

    Services start together once the engines are up: whatever else one needs (topics, releases),
    it waits for by itself. Raises SetupError when an engine cannot run on this machine.
    """
    home = home.expanduser().absolute()
    engines = [engine(home, ports).spec() for engine in ENGINES.values()]
    service_env = {**service_environment(home, ports), **env}
    return [*engines, *(_service(name, ports, service_env) for name in SERVICES)]


def service_environment(home: Path, ports: Ports) -> dict[str, str]:
    """The settings that point a service, or a client, at this local system."""
    return {
        "GYRE_HOME": str(home),
        "GYRE_PORT_OFFSET": str(ports.offset),
        "GYRE_KAFKA_SERVERS": ports.kafka_servers,
        "GYRE_ELASTICSEARCH_URL": ports.elasticsearch_url,
        "GYRE_CLICKHOUSE_URL": ports.clickhouse_url,
        "GYRE_STORE_URL": f"file://{home}/store",
        "GYRE_DRAIN_SECONDS": str(_DRAIN_SECONDS),
    }


def _service(name: str, ports: Ports, env: Mapping[str, str]) -> ProcessSpec:
    port = ports.grpc(name)
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", f"gyre_{name.replace('-', '_')}.app"),
        env=env,
        probe=GrpcProbe(port),
        liveness=HttpProbe(ports.metrics(name), "/healthz"),
        ports={"grpc": port, "metrics": ports.metrics(name)},
        depends_on=tuple(ENGINES),
        stop_grace=_STOP_GRACE,
    )


def main() -> None:
    """Runs the whole system in the foreground, a line for each change."""
    parser = argparse.ArgumentParser(prog="python -m gyre_local.system", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".gyre"))
    parser.add_argument("--port-offset", type=int, default=0)
    arguments = parser.parse_args()
    try:
        ports = Ports(arguments.port_offset)
        home = arguments.home.expanduser().absolute()
        asyncio.run(run_in_foreground(system_specs(home, ports, {}), home, ports))
    except LocalError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
