"""A collector that a test kills.

`python crashing_collector.py SERVERS STORE_URL GROUP`
"""

import asyncio
import sys

from gyre_common.bus import Bus, Delivery
from gyre_common.store import Shelf
from gyre_trainer.handlers import build_handlers
from gyre_trainer.segments import Collector, Segments


async def main(servers: str, store_url: str, group: str) -> None:
    # Small segments that are merged all the time, so that a kill hits every step.
    segments = Segments(Shelf(store_url, "segments"), records=400, merge_at=3)
    bus = Bus(servers, service="crashing", delivery=Delivery(commit_every=0.2, session=6.0))
    build_handlers(bus, Collector(segments), records=60, seconds=0.05, group=group)
    async with bus:
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
