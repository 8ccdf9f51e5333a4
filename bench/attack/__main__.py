"""Attack a system of one's own, and print what was tried and what held, by kind.

    python -m bench.attack [--seed 1] [--attempts 2000] [--port-offset 7000] [--list FILE]

`--list` writes every attempt with its outcome to a file. The exit status is 1 where one broke
something.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from gyre_local.ports import Ports

from bench.own_system import own_system
from tests.attack.run import Report, run
from tests.system import System


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attempts", type=int, default=2_000, help="0 for all there are")
    parser.add_argument("--port-offset", type=int, default=7_000)
    parser.add_argument("--list", type=Path)
    options = parser.parse_args()
    with own_system(options.port_offset) as home:
        system = System(home, Ports(options.port_offset))
        report = asyncio.run(run(system, seed=options.seed, count=options.attempts, show=_progress))
    if options.list:
        options.list.write_text("".join(f"{one}\n" for one in report.outcomes))
    _print(report)
    sys.exit(1 if report.broken else 0)


def _progress(done: int, total: int) -> None:
    if done % 50 == 0 or done == total:
        print(f"{done} of {total}", file=sys.stderr, flush=True)


def _print(report: Report) -> None:
    print(f"seed {report.seed}: {len(report.outcomes)} attempts, of {report.possible}")
    print("\n| over | kind | tried | held |\n|---|---|---:|---:|")
    for (over, kind), (tried, held) in report.by_kind().items():
        print(f"| {over} | {kind} | {tried} | {held} |")
    print(f"\nneighbours: {report.neighbour_calls} calls, slowest {report.slowest:.2f} s")
    for line in report.broken:
        print(line)


if __name__ == "__main__":
    main()
