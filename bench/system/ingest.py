"""A folder of documents from the first file to the last searchable passage, and its changes.

    python -m bench.system.ingest [--port-offset 700] [--pages N] [--small 10000]

Starts a system of its own in a temporary folder and mirrors the Kubernetes pages by a source of
the kind `folder`: February 2024 whole; the same copied anew; and v1.31 over it. Each is timed from
the sync's request until the last document is searchable. The floor is a loop over the same passages
through the same encoder in this process, while the services are idle.
Then `--small` documents of one passage each, by which the greatest memory is taken.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path

from bench.own_system import content_of, own_system
from bench.report import Row, machine, table
from bench.system.corpora import kubernetes_files, small_files
from bench.system.encoding import bare_encoder, passages
from bench.system.folder_source import Synced, folder_source
from bench.system.footprint import cpu_seconds
from bench.system.memory import peaks

HEAD = ("what", "seconds", "documents/s", "beside it", "ratio", "wanted")
_WORKERS = ("kafka", "elasticsearch", "ingestor", "embedder")


async def run(home: Path, offset: int, pages: int | None, small: int) -> None:
    """Prints one table, and two lines of where CPU and memory go."""
    old, new = (first(kubernetes_files(version), pages) for version in ("2024-02", "v1.31"))
    encode = bare_encoder()
    rows: list[Row] = []
    async with folder_source(content_of(home) / "docs", offset, "bench-docs") as docs:
        before = cpu_seconds(str(home))
        async with peaks(home) as memory:
            load = await docs.mirror(old)
        shares = cpu_shares(before, cpu_seconds(str(home)))
        texts = await passages(offset, "bench-docs")
        began = time.monotonic()
        await encode(texts)
        bare = time.monotonic() - began
        same = await docs.mirror(old)
        changes = await docs.mirror(new)
    floor = f"{len(texts):,} passages encoded alone in {bare:.1f} s"
    rows += [
        row("2024-02 whole", load, floor, bare / load.seconds, "0.85 or more"),
        row("the same, copied anew", same, "the first load", load.seconds / same.seconds, "50"),
        row("v1.31 over it", changes, "the first load", load.seconds / changes.seconds, ""),
    ]
    if small:
        async with (
            peaks(home) as memory_of_small,
            folder_source(content_of(home) / "small", offset, "bench-small") as many,
        ):
            loaded = await many.mirror(small_files(small))
        rows.append(row(f"{small:,} of one passage", loaded, "", None, ""))
        memory = memory_of_small
    print(machine())
    print(table(HEAD, rows))
    print(f"what the sync of changes counts: {changes.counts}; of the copy: {same.counts}")
    print(f"CPU of the first load: {shares}")
    print("greatest PSS, MiB: " + ", ".join(f"{name} {size}" for name, size in memory.items()))


def first(files: Mapping[str, bytes], pages: int | None) -> dict[str, bytes]:
    """Those whose names come first; all without a number."""
    return {name: files[name] for name in sorted(files)[:pages]}


def row(what: str, synced: Synced, beside: str, ratio: float | None, wanted: str) -> Row:
    """One line of the table."""
    return (
        what,
        f"{synced.seconds:.1f}",
        f"{synced.expected / synced.seconds:.1f}",
        beside,
        "" if ratio is None else f"{ratio:.2f}",
        wanted,
    )


def cpu_shares(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    """Of all that the system used: acceptance and parsing are the ingestor's."""
    used = {name: after[name] - before.get(name, 0.0) for name in after}
    total = sum(used.values())
    parts = [f"{name} {used[name] / total:.0%}" for name in _WORKERS]
    rest = 1 - sum(used[name] for name in _WORKERS) / total
    return f"{total:.0f} s, of which " + ", ".join(parts) + f", others {rest:.0%}"


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port-offset", type=int, default=700)
    parser.add_argument("--pages", type=int, default=None, help="all of them by default")
    parser.add_argument("--small", type=int, default=10_000, help="documents of one passage")
    options = parser.parse_args()
    with own_system(options.port_offset) as home:
        os.environ["GYRE_HOME"] = str(home)  # where the engine's password lies
        asyncio.run(run(home, options.port_offset, options.pages, options.small))


if __name__ == "__main__":
    main()
