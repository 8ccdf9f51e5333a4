"""One whole system for the end-to-end tests, by `gyre up`, in a private folder and ports."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gyre_local.ports import Ports
from gyre_local.testing import reserved_offset

GYRE = Path(sys.executable).parent / "gyre"


@dataclass(frozen=True)
class System:
    """A running Gyre and the command that talks to it."""

    home: Path
    ports: Ports

    def gyre(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs the command as a user would, from outside."""
        done = subprocess.run(
            [str(GYRE), *arguments, "--home", str(self.home)],
            capture_output=True,
            text=True,
            timeout=180,
        )
        if check and done.returncode:
            raise AssertionError(f"gyre {' '.join(arguments)}: {done.stderr}\n{done.stdout}")
        return done

    def json(self, *arguments: str) -> Any:
        """The command's output under --json."""
        return json.loads(self.gyre(*arguments, "--json").stdout)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Started once, stopped at the end."""
    home = tmp_path_factory.mktemp("gyre-home")
    with reserved_offset() as offset:
        running = System(home, Ports(offset))
        running.gyre("up", "--detach", "--port-offset", str(offset))
        try:
            yield running
        finally:
            running.gyre("down")
