"""Engines alone, in the foreground: `python -m gyre_local.engines --home H kafka elasticsearch`."""

import argparse
import asyncio
import sys
from pathlib import Path

from gyre_local.engines import ENGINES, Engine
from gyre_local.errors import LocalError
from gyre_local.foreground import run_in_foreground
from gyre_local.ports import Ports


def main() -> None:
    """Runs the engines named on the command line, all of them by default."""
    parser = argparse.ArgumentParser(prog="python -m gyre_local.engines", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".gyre"))
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("engines", nargs="*", metavar="ENGINE", help=", ".join(ENGINES))
    arguments = parser.parse_args()
    try:
        ports = Ports(arguments.port_offset)
        home = arguments.home.absolute()
        specs = [engine_named(name)(home, ports).spec() for name in arguments.engines or ENGINES]
        asyncio.run(run_in_foreground(specs, home, ports))
    except LocalError as error:
        sys.exit(f"error: {error}")


def engine_named(name: str) -> type[Engine]:
    """Raises LocalError for a name that no engine has."""
    if name not in ENGINES:
        raise LocalError(f"no engine is called {name}: there are {', '.join(ENGINES)}")
    return ENGINES[name]


if __name__ == "__main__":
    main()
