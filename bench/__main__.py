"""A short round of every benchmark on a system of its own: `make bench`."""

import subprocess
import sys
import tempfile
from pathlib import Path

OFFSET = 600
GYRE = str(Path(sys.executable).parent / "gyre")

ALONE = (
    ("bench.encoder",),
    ("bench.answers",),
    ("bench.judge",),
    ("bench.training",),
    ("bench.system.footprint",),
)
WITH_SYSTEM = (
    ("bench.delivery", "--rounds", "1"),
    ("bench.system.freshness", "--documents", "30"),
    ("bench.system.bulk", "--pages", "60", "--rounds", "2"),
    ("bench.system.answers",),
    ("bench.system.scifact",),
)


def run(module: str, *arguments: str) -> bool:
    """Runs one benchmark under a headline; tells whether it succeeded."""
    print(f"\n== {module}", flush=True)
    return subprocess.run([sys.executable, "-m", module, *arguments]).returncode == 0


def main() -> int:
    """Runs all; returns 1 when one failed."""
    passed = [run(*command) for command in ALONE]
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [GYRE, "up", "--detach", "--home", home, "--port-offset", str(OFFSET)], check=True
        )
        try:
            passed += [run(*command, "--port-offset", str(OFFSET)) for command in WITH_SYSTEM]
        finally:
            subprocess.run([GYRE, "down", "--home", home], check=True)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
