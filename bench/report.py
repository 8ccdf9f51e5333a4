"""Prints a benchmark's figures: one aligned table, percentiles with their counts."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

import psutil

Row = tuple[str, ...]


def machine() -> str:
    """The machine's size, for the head of a report."""
    gib = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], unit: str = "ms", digits: int = 0) -> str:
    """p50, p95, p99, the maximum and the count."""
    p50, p95, p99 = (percentile(values, share) for share in (0.5, 0.95, 0.99))
    return (
        f"p50 {p50:.{digits}f} · p95 {p95:.{digits}f} · p99 {p99:.{digits}f} · "
        f"max {max(values):.{digits}f} {unit} (n={len(values)})"
    )


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The share of pairs in which the positive one is greater; a tie is half a pair."""
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return sum(pairs) / len(pairs)


def table(head: Row, rows: Sequence[Row]) -> str:
    """A plain table with aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, tuple("-" * width for width in widths), *rows)
    ]
    return "\n".join(lines)


def data_folder(name: str) -> Path:
    """A folder of public benchmark data, by GYRE_BENCH_DATA or beside the checkout.

    Raises SystemExit when it is not there.
    """
    root = Path(os.environ.get("GYRE_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    folder = root / name
    if not folder.is_dir():
        raise SystemExit(
            f"error: no benchmark data at {folder} — set GYRE_BENCH_DATA to its parent"
        )
    return folder
