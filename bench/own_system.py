"""A system of a benchmark's own, in a temporary folder."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GYRE = str(Path(sys.executable).parent / "gyre")


@contextmanager
def own_system(offset: int) -> Iterator[Path]:
    """Runs while the block does; yields its home."""
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [GYRE, "up", "--detach", "--home", home, "--port-offset", str(offset)], check=True
        )
        try:
            yield Path(home)
        finally:
            subprocess.run([GYRE, "down", "--home", home], check=True)
