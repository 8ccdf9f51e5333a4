"""Submit → searchable for documents of 2 KB, one at a time, beside the floor of one Kafka write.

python -m bench.system.freshness [--port-offset N] [--documents 100]
"""

import argparse
import asyncio
import time
import uuid

from bench.report import machine, spread
from bench.system.corpora import CorpusPage
from bench.system.producer import KafkaSubmitter, submitter

SENTENCE = "The {n}th valve of pump station {word} opens at {n} bar and reports to the log. "


def page(number: int) -> CorpusPage:
    """About 2 KB of text that no other page holds."""
    lines = (SENTENCE.format(n=number * 100 + i, word=uuid.uuid4().hex[:8]) for i in range(28))
    return CorpusPage(
        f"freshness/{uuid.uuid4()}", f"Pump {number}", "".join(lines)[:2048], "text/plain"
    )


async def run(servers: str, documents: int) -> None:
    """Prints the spread over `documents` submissions."""
    async with submitter(servers, tenant="bench-freshness") as client:
        await one(client, 0)
        latencies = [await one(client, n + 1) for n in range(documents)]
        floor, written = await writes(client, documents)
        await client.wait_for(written, timeout=600)  # or what comes next is measured beside them
    print(machine())
    print("2 KB document, Kafka submit → documents.indexed seen by the submitter, 1 in flight")
    print("  gyre                        " + spread(latencies))
    print("  floor (one Kafka write)     " + spread(floor, digits=1))


async def one(client: KafkaSubmitter, number: int) -> float:
    """Milliseconds from the submission to the outcome."""
    document = page(number)
    started = await client.submit(document)
    await client.wait_for([document.document_id], timeout=60)
    if document.document_id in client.rejected:
        raise SystemExit(f"error: rejected: {client.rejected[document.document_id]}")
    return (client.finished[document.document_id] - started) * 1000


async def writes(client: KafkaSubmitter, documents: int) -> tuple[list[float], list[str]]:
    """Milliseconds of each confirmed Kafka write, and the ids of what was written."""
    taken, ids = [], []
    for _ in range(documents):
        document = page(0)
        started = time.monotonic()
        await client.submit(document)
        taken.append((time.monotonic() - started) * 1000)
        ids.append(document.document_id)
    return taken, ids


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--documents", type=int, default=100)
    options = parser.parse_args()
    asyncio.run(run(f"127.0.0.1:{9092 + options.port_offset}", options.documents))


if __name__ == "__main__":
    main()
