"""What one tenant's bulk load costs another's single document, on the same partition.

    python -m bench.system.fairness [--port-offset N] [--backlog 2000] [--documents 10]

Quiet first: documents of 2 KB one at a time, submit → searchable. Then another tenant submits the
backlog, `BACKLOG_TEXTS` a document, all of it acknowledged on the one partition that the single
documents go to; and they are submitted again, one at a time, while it is worked off.
"""

import argparse
import asyncio
import time
import uuid
from contextlib import suppress

from aiokafka.partitioner import DefaultPartitioner
from gyre_common.events.documents import DOCUMENT_SUBMITTED

from bench.report import machine, spread
from bench.system.corpora import CorpusPage
from bench.system.freshness import page
from bench.system.producer import KafkaSubmitter, submitter

LONE, BULK = "bench-lone", "bench-bulk"
BACKLOG_TEXTS = 4  # of 2 KB each: a document of 8 KB, as the pages of the Kubernetes documentation


def on_the_same_partition(tenant: str, document: CorpusPage) -> CorpusPage:
    """The document under a name that Kafka puts on partition 0."""
    partitions, partition_of = list(range(DOCUMENT_SUBMITTED.partitions)), DefaultPartitioner()
    while True:
        name = f"fairness/{uuid.uuid4()}"
        if partition_of(f"{tenant}/{name}".encode(), partitions, partitions) == 0:
            return CorpusPage(name, document.title, document.text, document.media_type)


def backlog_page(number: int) -> CorpusPage:
    pages = [page(number * BACKLOG_TEXTS + each) for each in range(BACKLOG_TEXTS)]
    text = "\n\n".join(each.text for each in pages)
    return on_the_same_partition(BULK, CorpusPage("", f"Pumps {number}", text, "text/plain"))


async def run(servers: str, backlog: int, documents: int) -> None:
    """Prints both spreads, and how much of the backlog was done meanwhile."""
    async with submitter(servers, tenant=LONE) as lone, submitter(servers, tenant=BULK) as bulk:
        await one(lone, 0)
        quiet = [await one(lone, 1 + number) for number in range(documents)]
        pages = [backlog_page(number) for number in range(backlog)]
        began = time.monotonic()
        for first in range(0, backlog, 100):
            await asyncio.gather(*(bulk.submit(each) for each in pages[first : first + 100]))
        acknowledged = time.monotonic() - began
        behind = [await one(lone, 100 + number) for number in range(documents)]
        took = time.monotonic() - began
        with suppress(TimeoutError):
            await bulk.wait_for([pages[-1].document_id], timeout=3)
        done = len(bulk.finished)
    print(machine())
    print("2 KB document, Kafka submit → documents.indexed seen by the submitter, 1 in flight")
    print("  quiet (floor)                " + spread(quiet))
    print(f"  behind {backlog:,} of another tenant " + spread(behind))
    print(f"  p50 of the second over the first: {median(behind) / median(quiet):.1f}")
    print(
        f"  {backlog:,} acknowledged after {acknowledged:.1f} s; when the last single document was "
        f"searchable, {done:,} of them were, {done / took:.1f} a second"
    )


async def one(client: KafkaSubmitter, number: int) -> float:
    """Milliseconds from the submission to the outcome."""
    document = on_the_same_partition(LONE, page(number))
    started = await client.submit(document)
    await client.wait_for([document.document_id], timeout=600)
    return (client.finished[document.document_id] - started) * 1000


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--backlog", type=int, default=2000)
    parser.add_argument("--documents", type=int, default=10)
    options = parser.parse_args()
    servers = f"127.0.0.1:{9092 + options.port_offset}"
    asyncio.run(run(servers, options.backlog, options.documents))


if __name__ == "__main__":
    main()
