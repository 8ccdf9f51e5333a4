"""A whole running Gyre as tests see it: its command, its ports, its processes."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gyre_local.control import running_state
from gyre_local.ports import Ports
from gyre_local.state import ProcessState, SystemState
from gyre_local.supervisor import Supervisor, raise_if_hopeless

GYRE = Path(sys.executable).parent / "gyre"


@dataclass(frozen=True)
class System:
    """A running Gyre and the command that talks to it."""

    home: Path
    ports: Ports

    @property
    def content(self) -> Path:
        """The folder that sources may be in."""
        return self.home.with_name(f"{self.home.name}-content")

    def gyre(
        self, *arguments: str, check: bool = True, seconds: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Runs the command as a user would, from outside."""
        done = subprocess.run(
            [str(GYRE), *arguments, "--home", str(self.home)],
            capture_output=True,
            text=True,
            timeout=seconds,
            env={
                **os.environ,
                "GYRE_ALLOWED_CONTENT_ROOTS": f"file://{self.content}",
                "GYRE_SOURCE_PRIVATE_ADDRESSES": "true",
            },
        )
        if check and done.returncode:
            raise AssertionError(f"gyre {' '.join(arguments)}: {done.stderr}\n{done.stdout}")
        return done

    def json(self, *arguments: str) -> Any:
        """The command's output under --json."""
        return json.loads(self.gyre(*arguments, "--json").stdout)

    def state(self) -> SystemState:
        """What the supervisor last said of all processes."""
        state = running_state(self.home)
        assert state is not None, "the system does not run"
        return state

    def process(self, name: str) -> ProcessState:
        """One engine or service, as of now."""
        return next(process for process in self.state().processes if process.name == name)


async def wait_ready(supervisor: Supervisor, seconds: float) -> None:
    """Raises StartError when a process keeps dying, and TimeoutError."""
    async with asyncio.timeout(seconds):
        async for state in supervisor.watch():
            if state.ready:
                return
            raise_if_hopeless(state)
    raise AssertionError("stopped before it was ready")
