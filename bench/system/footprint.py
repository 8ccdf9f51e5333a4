"""How long a warm start takes, and what the idle system holds in memory, process by process.

    python -m bench.system.footprint [--port-offset 700]

Starts a system of its own in a temporary folder twice: the first start makes its data, the second
is the warm one. Beside the resident size stands the proportional one, which counts shared pages
once.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from gyre_local.control import running_state
from gyre_local.state import ProcessIdentity

from bench.report import machine, table

GYRE = str(Path(sys.executable).parent / "gyre")


def run(offset: int) -> None:
    """Prints the seconds of both starts and a line a process."""
    with tempfile.TemporaryDirectory() as home:
        where = ["--home", home, "--port-offset", str(offset)]
        cold = start(where)
        stop(where)
        warm = start(where)
        try:
            settle()
            rows = memory(home)
        finally:
            stop(where)
    print(machine())
    print(f"gyre up → ready: first {cold:.1f} s, warm {warm:.1f} s")
    print(table(("process", "PSS MiB", "RSS MiB"), rows))


def start(where: list[str]) -> float:
    """Seconds until every service is ready."""
    began = time.monotonic()
    subprocess.run([GYRE, "up", "--detach", *where], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def stop(where: list[str]) -> None:
    """Stops the system."""
    subprocess.run([GYRE, "down", *where], check=True, stdout=subprocess.DEVNULL)


def settle() -> None:
    """Half a minute of idling, so that start-up garbage is gone."""
    time.sleep(30)


def memory(home: str) -> list[tuple[str, str, str]]:
    """Every process of the system with its memory, the total last."""
    state = running_state(Path(home))
    assert state is not None, "the system does not run"
    rows = [
        (process.name, *_mebibytes(_family(process.identity)))
        for process in state.processes
        if process.identity is not None
    ]
    rows.append(("supervisor", *_mebibytes([psutil.Process(state.supervisor.pid)])))
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
    run(parser.parse_args().port_offset)


if __name__ == "__main__":
    main()
