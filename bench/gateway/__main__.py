"""Both halves: the edge alone, then a system of its own: `python -m bench.gateway`."""

import asyncio

from bench.gateway import edge, system
from bench.own_system import own_system

OFFSET = 700


def main() -> None:
    """The engines are down while the edge is measured."""
    asyncio.run(edge.run(edge.parser().parse_args([])))
    with own_system(OFFSET):
        options = system.parser().parse_args(["--port-offset", str(OFFSET)])
        asyncio.run(system.run(options))


if __name__ == "__main__":
    main()
