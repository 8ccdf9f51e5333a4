"""Real engines for tests: a private home, ports that no other run uses, started when asked for."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gyre_common.settings import SECRETS_DIR

from gyre_local import log_files
from gyre_local.control import spawn_supervisor, state_of
from gyre_local.errors import StartError
from gyre_local.home import Home, try_lock
from gyre_local.port_reservation import is_free
from gyre_local.ports import LARGEST_OFFSET, STEP, Ports
from gyre_local.process import end_with_parent
from gyre_local.secrets import CLICKHOUSE_PASSWORD, ELASTICSEARCH_PASSWORD, Secret

_FIRST_OFFSET = 11_000
"""Below lies what people run by hand; and from here on no port is one of those that Linux gives to
outgoing connections (32768 to 60999), where a test's neighbour may sit on it by chance."""

_START_SECONDS = 90.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


class LocalEngines:
    """Engines in a folder of their own; each starts at its first use and stays until `close`.

    Every engine has a supervisor process of its own, so that one can be started after another;
    they all die with the process that made them. They share the folder of their secrets.
    """

    def __init__(self, home: Path, ports: Ports) -> None:
        self.home = home
        self.ports = ports
        self.secrets = home / "secrets"
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Returns when it is ready. Raises StartError."""
        home = Home(self.home / name)
        if name not in self._supervisors:
            where = ("--home", str(home.path), "--port-offset", str(self.ports.offset))
            self._supervisors[name] = spawn_supervisor(
                (sys.executable, "-m", "gyre_local.system", *where, name),
                home,
                env={SECRETS_DIR: str(self.secrets)},
                preexec=end_with_parent(os.getpid()),
            )
        deadline = time.monotonic() + _START_SECONDS
        while (state := state_of(self._supervisors[name], home)) is None or not state.ready:
            if time.monotonic() > deadline:
                reason = log_files.cause_line(home.log(name))
                raise StartError(f"{name} not ready after {_START_SECONDS:.0f} s: {reason}")
            time.sleep(_POLL_SECONDS)

    def pid(self, name: str) -> int:
        """The engine's own process, for tests that kill it; its supervisor starts it again."""
        state = state_of(self._supervisors[name], Home(self.home / name))
        if state is None or state.processes[0].identity is None:
            raise StartError(f"{name} does not run")
        return state.processes[0].identity.pid

    @property
    def elasticsearch_login(self) -> tuple[str, str]:
        """User and password, once it runs."""
        return "elastic", Secret(self.secrets / ELASTICSEARCH_PASSWORD).read()

    @property
    def clickhouse_login(self) -> tuple[str, str]:
        """User and password of who may write, once it runs."""
        return "default", Secret(self.secrets / CLICKHOUSE_PASSWORD).read()

    def close(self) -> None:
        """Stops all of them."""
        for supervisor in self._supervisors.values():
            supervisor.terminate()
        for supervisor in self._supervisors.values():
            supervisor.wait(_STOP_SECONDS)
        self._supervisors.clear()


@contextmanager
def reserved_offset() -> Iterator[int]:
    """A port offset that is free now and that no other test run takes while the block is open."""
    folder = Path(tempfile.gettempdir()) / f"gyre-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    offsets = list(range(_FIRST_OFFSET, LARGEST_OFFSET, STEP))
    random.shuffle(offsets)
    for offset in offsets:
        with (folder / str(offset)).open("w") as lock:
            if try_lock(lock.fileno()) and all(map(is_free, Ports(offset).all())):
                yield offset
                return
    raise StartError("no free ports for a test run")


@contextmanager
def engines(home: Path) -> Iterator[LocalEngines]:
    """Engines on reserved ports under `home`, none started yet, all stopped at the end."""
    with reserved_offset() as offset, closing(LocalEngines(home, Ports(offset))) as running:
        yield running
