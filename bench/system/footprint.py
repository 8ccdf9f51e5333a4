"""How long a warm start takes, and what the idle system costs, process by process.

    python -m bench.system.footprint [--port-offset 700] [--rest 120] [--window 300]

Starts a system of its own in a temporary folder twice: the first start makes its data, the second
is the warm one. After `rest` seconds it counts, for `window` seconds, the share of one core that
each process takes. Beside the resident size stands the proportional one, which counts shared pages
once.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from gyre_local.control import running_state
from gyre_local.state import ProcessIdentity

from bench.own_system import GYRE
from bench.report import machine, table


def run(offset: int, *, rest: float, window: float) -> None:
    """Prints the seconds of both starts and a line a process."""
    with tempfile.TemporaryDirectory() as home:
        where = ["--home", home, "--port-offset", str(offset)]
        cold = start(where)
        stop(where)
        warm = start(where)
        try:
            time.sleep(rest)
            shares = core_shares(home, window)
            rows = [(*row, f"{shares[row[0]]:.2f}") for row in memory(home)]
        finally:
            stop(where)
    print(machine())
    print(f"gyre up → ready: first {cold:.1f} s, warm {warm:.1f} s")
    print(table(("process", "PSS MiB", "RSS MiB", "% of a core"), rows))


def start(where: list[str]) -> float:
    """Seconds until every service is ready."""
    began = time.monotonic()
    subprocess.run([GYRE, "up", "--detach", *where], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def stop(where: list[str]) -> None:
    """Stops the system."""
    subprocess.run([GYRE, "down", *where], check=True, stdout=subprocess.DEVNULL)


def core_shares(home: str, window: float) -> dict[str, float]:
    """By process, and in `total`: CPU seconds in a hundred, children included."""
    began, before = time.monotonic(), cpu_seconds(home)
    time.sleep(window)
    after, seconds = cpu_seconds(home), time.monotonic() - began
    shares = {name: 100 * (after[name] - before[name]) / seconds for name in before}
    return {**shares, "total": sum(shares.values())}


def cpu_seconds(home: str) -> dict[str, float]:
    """What each process of the system has used so far."""
    return {
        name: sum(sum(each.cpu_times()[:2]) for each in family)
        for name, family in families(home).items()
    }


def families(home: str) -> dict[str, list[psutil.Process]]:
    """Every process of the system with what it started, the supervisor alone."""
    state = running_state(Path(home))
    assert state is not None, "the system does not run"
    processes = {
        process.name: _family(process.identity)
        for process in state.processes
        if process.identity is not None
    }
    return {**processes, "supervisor": [psutil.Process(state.supervisor.pid)]}


def memory(home: str) -> list[tuple[str, str, str]]:
    """Every process of the system with its memory, the total last."""
    rows = [(name, *_mebibytes(family)) for name, family in families(home).items()]
    pss, rss = (str(sum(int(row[column]) for row in rows)) for column in (1, 2))
    return [*rows, ("total", pss, rss)]


def _family(identity: ProcessIdentity) -> list[psutil.Process]:
    process = psutil.Process(identity.pid)
    return [process, *process.children(recursive=True)]


def _mebibytes(family: list[psutil.Process]) -> tuple[str, str]:
    sizes = [process.memory_full_info() for process in family]
    return (
        f"{sum(size.pss for size in sizes) / 2**20:.0f}",
        f"{sum(size.rss for size in sizes) / 2**20:.0f}",
    )


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=700)
    parser.add_argument("--rest", type=float, default=120.0, help="seconds before it counts")
    parser.add_argument("--window", type=float, default=300.0, help="seconds that it counts")
    options = parser.parse_args()
    run(options.port_offset, rest=options.rest, window=options.window)


if __name__ == "__main__":
    main()
