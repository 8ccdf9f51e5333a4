"""A whole system whose links can be cut and whose services' clocks can jump."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gyre_local.ports import SERVICES, Ports
from gyre_local.process import ProcessSpec
from gyre_local.state import ProcessState
from gyre_local.supervisor import Supervisor
from gyre_local.system import system_specs

from tests.faults.harness.proxy import Link
from tests.system import wait_ready

LINKS = (
    ("ingestor", "kafka"),
    ("embedder", "elasticsearch"),
    ("retriever", "elasticsearch"),
    ("generator", "kafka"),
    ("feedback-collector", "kafka"),
    ("trainer", "kafka"),
    ("telemetry", "clickhouse"),
)
"""Those that a run may cut: a service and an engine."""

CLOCKS = ("retriever", "generator", "judge", "trainer", "feedback-collector")
"""Services whose clock may jump. Under libfaketime 0.9.10 `time.sleep` of Python 3.11 fails unless
the monotonic clock jumps too, which no real clock does: these never call it.
"""

_FIRST_INNER_PORT = 9130
_READY_SECONDS = 600.0
_FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def faketime_library() -> Path | None:
    """libfaketime as Debian installs it, or where GYRE_FAKETIME names it; None without it."""
    named = os.environ.get("GYRE_FAKETIME")
    if named:
        return Path(named) if Path(named).exists() else None
    matches = [path for pattern in _FAKETIME for path in Path("/").glob(pattern[1:])]
    return matches[0] if matches else None


@dataclass(frozen=True)
class OwnSystem:
    """A running system. `links` by their name, such as `trainer-kafka`."""

    home: Path
    ports: Ports
    links: Mapping[str, Link]
    supervisor: Supervisor

    def process(self, name: str) -> ProcessState:
        """An engine or a service as it is now."""
        return next(one for one in self.supervisor.state.processes if one.name == name)

    def pid(self, name: str) -> int | None:
        """None where it does not run now."""
        identity = self.process(name).identity
        return identity.pid if identity is not None else None

    def set_clock(self, service: str, seconds: int) -> None:
        """It goes so far ahead, or behind, from about now on."""
        _clock_of(self.home, service).write_text(f"{seconds:+d}s\n")


@asynccontextmanager
async def own_system(home: Path, ports: Ports) -> AsyncIterator[OwnSystem]:
    """Runs while the block does; what lies in `home` stays and is gone on with.

    Raises:
        LocalError: it does not start.
        TimeoutError: it is not ready in time.
    """
    # Children are forked while gRPC's threads are at work, as the supervisor's are.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    async with AsyncExitStack() as stack:
        links: dict[str, Link] = {}
        inner_ports: dict[str, int] = {}
        for number, (service, engine) in enumerate(LINKS):
            name = f"{service}-{engine}"
            inner_ports[name] = _FIRST_INNER_PORT + number + ports.offset
            upstream = inner_ports[name] if engine == "kafka" else getattr(ports, engine)
            links[name] = await stack.enter_async_context(Link(upstream).opened())
        specs = [
            _with_listeners(spec, links, inner_ports) if spec.name == "kafka" else spec
            for spec in (_on_links(spec, links, home) for spec in system_specs(home, ports))
        ]
        supervisor = await stack.enter_async_context(
            Supervisor(specs, home, port_offset=ports.offset)
        )
        await wait_ready(supervisor, _READY_SECONDS)
        yield OwnSystem(home, ports, links, supervisor)


def _on_links(spec: ProcessSpec, links: Mapping[str, Link], home: Path) -> ProcessSpec:
    """A service reaches engines by its links, where it has any, and has a clock of its own."""
    if spec.name not in SERVICES:
        return spec
    env = dict(spec.env)
    for engine, variable, scheme in (
        ("kafka", "GYRE_KAFKA_SERVERS", ""),
        ("elasticsearch", "GYRE_ELASTICSEARCH_URL", "http://"),
        ("clickhouse", "GYRE_CLICKHOUSE_URL", "http://"),
    ):
        link = links.get(f"{spec.name}-{engine}")
        if link is not None:
            env[variable] = f"{scheme}127.0.0.1:{link.port}"
    library = faketime_library()
    if library is not None and spec.name in CLOCKS:
        clock = _clock_of(home, spec.name)
        clock.parent.mkdir(parents=True, exist_ok=True)
        clock.write_text("+0s\n")
        env |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    return replace(spec, env=env)


def _clock_of(home: Path, service: str) -> Path:
    return home / "run" / f"clock-of-{service}"


def _with_listeners(
    spec: ProcessSpec, links: Mapping[str, Link], inner_ports: Mapping[str, int]
) -> ProcessSpec:
    """Kafka tells its clients where to find it: who comes by a link is sent back to the link."""
    properties = Path(spec.argv[-1])
    through = {name: link for name, link in links.items() if name.endswith("-kafka")}

    def prepare() -> None:
        spec.prepare()
        lines = properties.read_text().splitlines()
        properties.write_text("\n".join(_listening(lines, through, inner_ports)) + "\n")

    return replace(spec, prepare=prepare)


def _listening(
    lines: Sequence[str], links: Mapping[str, Link], inner_ports: Mapping[str, int]
) -> list[str]:
    """The properties with a listener for each link."""
    names = {link: link.upper().replace("-", "_") for link in links}
    added = {
        "listeners": [f"{names[link]}://127.0.0.1:{inner_ports[link]}" for link in links],
        "advertised.listeners": [f"{names[one]}://127.0.0.1:{links[one].port}" for one in links],
    }
    changed = []
    for line in lines:
        key, _, value = line.partition("=")
        changed.append(f"{key}={','.join([value, *added[key]])}" if key in added else line)
    listeners = ["PLAINTEXT", "CONTROLLER", *names.values()]
    security = ",".join(f"{name}:PLAINTEXT" for name in listeners)
    return [*changed, f"listener.security.protocol.map={security}"]
