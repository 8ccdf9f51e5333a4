"""A corpus in BEIR's layout: documents, queries, and which documents answer them.

The folder holds `corpus.jsonl[.gz]`, `queries.jsonl`, `qrels.<split>.tsv` or `qrels/<split>.tsv`.
"""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows with `_id`, `text` and mostly `title`. Raises SystemExit where there are none."""
    packed, plain = folder / "corpus.jsonl.gz", folder / "corpus.jsonl"
    if packed.is_file():
        with gzip.open(packed, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    elif plain.is_file():
        with plain.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)
    else:
        raise SystemExit(f"error: {folder} is no BEIR folder: it has no corpus.jsonl")


def queries(folder: Path) -> dict[str, str]:
    """The text of each. Raises SystemExit where there are none."""
    path = folder / "queries.jsonl"
    if not path.is_file():
        raise SystemExit(f"error: {folder} is no BEIR folder: it has no queries.jsonl")
    with path.open(encoding="utf-8") as lines:
        return {row["_id"]: row["text"] for row in map(json.loads, lines)}


def judgements(folder: Path, split: str) -> dict[str, dict[str, int]]:
    """By query, the grade of each judged document. Raises SystemExit where there are none."""
    for path in (folder / f"qrels.{split}.tsv", folder / "qrels" / f"{split}.tsv"):
        if path.is_file():
            break
    else:
        raise SystemExit(f"error: {folder} has no judgements of split {split}")
    grades: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            grades.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return grades
