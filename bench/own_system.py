"""A system of a benchmark's own, in a temporary folder."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GYRE = str(Path(sys.executable).parent / "gyre")


@contextmanager
def own_system(offset: int) -> Iterator[Path]:
    """Runs while the block does, also when it is ended by a signal; yields its home. Sources may be
    in `content_of` it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        content_of(home).mkdir()
        root = f"file://{content_of(home).resolve()}"
        subprocess.run(
            [GYRE, "up", "--detach", "--home", str(home), "--port-offset", str(offset)],
            check=True,
            env={**os.environ, "GYRE_ALLOWED_CONTENT_ROOTS": root},
        )
        try:
            yield home
        finally:
            subprocess.run([GYRE, "down", "--home", str(home)], check=True)


def content_of(home: Path) -> Path:
    """The folder in which such a system may read."""
    return home.with_name("content")
