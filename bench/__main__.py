"""A short round of every benchmark on a system of its own: `make bench`."""

import subprocess
import sys

from bench.own_system import own_system

OFFSET = 600

ALONE = (
    ("bench.encoder",),
    ("bench.answers",),
    ("bench.generator",),
    ("bench.judge",),
    ("bench.training",),
    ("bench.system.footprint",),
    ("bench.gateway.edge", "--seconds", "5"),
)
WITH_SYSTEM = (
    ("bench.delivery", "--rounds", "1"),
    ("bench.system.freshness", "--documents", "30"),
    ("bench.system.bulk", "--pages", "60", "--rounds", "2"),
    ("bench.system.answers",),
    ("bench.system.scifact",),
    ("bench.gateway.system", "--seconds", "15"),
)


def run(module: str, *arguments: str) -> bool:
    """Runs one benchmark under a headline; tells whether it succeeded."""
    print(f"\n== {module}", flush=True)
    return subprocess.run([sys.executable, "-m", module, *arguments]).returncode == 0


def main() -> int:
    """Runs all; returns 1 when one failed."""
    passed = [run(*command) for command in ALONE]
    with own_system(OFFSET):
        passed += [run(*command, "--port-offset", str(OFFSET)) for command in WITH_SYSTEM]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
