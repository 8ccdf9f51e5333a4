"""Documents a second for the Kubernetes pages, beside a bare loop that only encodes their passages.

    python -m bench.system.bulk [--port-offset N] [--pages N] [--rounds 2]

Arm A submits the pages to Kafka and waits until every one is searchable (one broker, acks=all;
Elasticsearch syncs its log at every request). Arm B encodes the same passages with the same encoder
in this process while the services are idle, and does nothing else. Two rounds run A B B A; every
round is a tenant of its own, so that nothing is found unchanged.
"""

import argparse
import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from bench.report import machine, median, table
from bench.system.corpora import CorpusPage, kubernetes_pages
from bench.system.encoding import bare_encoder, passages
from bench.system.producer import submitter

Encode = Callable[[Sequence[str]], Awaitable[None]]


async def run(offset: int, pages: Sequence[CorpusPage], rounds: int) -> None:
    """Prints documents/s and passages/s of both arms, and their ratio."""
    encode = bare_encoder()
    system: list[float] = []
    bare: list[float] = []
    texts: list[str] = []
    rejected: Counter[str] = Counter()
    for number in range(rounds):
        tenant = f"bench-{uuid.uuid4().hex[:8]}"
        print(f"round {number + 1} under tenant {tenant}", flush=True)
        async with submitter(f"127.0.0.1:{9092 + offset}", tenant) as client:
            if number % 2:
                bare.append(await seconds(encode, texts))
            system.append(await client.submit_all(pages, timeout=3000))
            rejected = Counter(client.rejected.values())
        if number % 2 == 0:
            texts = await passages(offset, tenant)
            bare.append(await seconds(encode, texts))
    print(f"{machine()} · rejected: {dict(rejected) or 'none'}")
    print(
        table(
            ("arm", "seconds (median)", "documents/s", "passages/s"),
            [
                row("gyre, Kafka → searchable", system, len(pages), len(texts)),
                row("floor: encode only", bare, len(pages), len(texts)),
            ],
        )
    )
    print(f"gyre / floor {median(bare) / median(system):.2f} (0.80 or more is wanted)")


def row(name: str, times: Sequence[float], pages: int, texts: int) -> tuple[str, ...]:
    """One arm's line."""
    median_seconds = median(times)
    return (
        name,
        f"{median_seconds:.1f}",
        f"{pages / median_seconds:.1f}",
        f"{texts / median_seconds:.1f}",
    )


async def seconds(encode: Encode, texts: Sequence[str]) -> float:
    """Seconds to encode the texts."""
    started = time.monotonic()
    await encode(texts)
    return time.monotonic() - started


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--pages", type=int, default=None, help="all of them by default")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    pages = list(kubernetes_pages())[: options.pages]
    asyncio.run(run(options.port_offset, pages, options.rounds))


if __name__ == "__main__":
    main()
