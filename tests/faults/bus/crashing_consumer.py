"""A service that a test kills: tells of each event on another topic and notes it in SQLite.

`python crashing_consumer.py SERVERS SOURCE_TOPIC COPIES_TOPIC DATABASE in-order|by-tenant`
"""

import asyncio
import sqlite3
import sys
from dataclasses import replace

from gyre_common.bus import Bus, current_record

from tests.bus_contract import QUICK, MessageSent, message_topic


async def main(servers: str, source: str, copies: str, database: str, turns: str) -> None:
    notes = sqlite3.connect(database, isolation_level=None, timeout=10)
    # By tenant with few values in memory, so that most are left in Kafka and read again.
    by_tenant = turns == "by-tenant"
    delivery = replace(QUICK, commit_every=0.2, partition_records=50 if by_tenant else 1000)
    bus = Bus(servers, service="crashing", delivery=delivery)

    @bus.on(message_topic(source), group="crashing", concurrency=8, by_tenant=by_tenant)
    async def on_message_sent(event: MessageSent) -> None:
        await bus.publish(message_topic(copies), event)
        event_id = str(current_record().event_id)
        notes.execute(
            "INSERT INTO notes (event_id, listener, ordinal) VALUES (?, ?, ?)"
            " ON CONFLICT (event_id) DO UPDATE SET writes = writes + 1",
            (event_id, event.listener, event.ordinal),
        )
        notes.execute(
            "INSERT INTO log (listener, ordinal) VALUES (?, ?)", (event.listener, event.ordinal)
        )

    async with bus:
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
