"""A corpus in BEIR's layout: documents, questions, and which documents answer them."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gyre_cli.demo.corpus import DemoQuestion, Document


class Folder:
    """`corpus.jsonl[.gz]`, `queries.jsonl` and `qrels.<split>.tsv` or `qrels/<split>.tsv`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name

    def documents(self) -> tuple[Document, ...]:
        """All of them, each with its title as a heading."""
        return tuple(
            Document(
                f"{self.name}/{row['_id']}",
                f"# {row.get('title') or row['_id']}\n\n{row['text']}\n",
            )
            for row in self._rows("corpus.jsonl")
        )

    def questions(self, split: str) -> tuple[DemoQuestion, ...]:
        """Those of a split that have a relevant document."""
        texts = {row["_id"]: row["text"] for row in self._rows("queries.jsonl")}
        relevant: dict[str, set[str]] = {}
        with self._judgements(split).open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if int(row["score"]) > 0:
                    relevant.setdefault(row["query-id"], set()).add(
                        f"{self.name}/{row['corpus-id']}"
                    )
        return tuple(
            DemoQuestion(key, texts[key], frozenset(some)) for key, some in relevant.items()
        )

    def _judgements(self, split: str) -> Path:
        for path in (self._path / f"qrels.{split}.tsv", self._path / "qrels" / f"{split}.tsv"):
            if path.is_file():
                return path
        raise SystemExit(f"error: {self._path} has no judgements of split {split}")

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        packed, plain = self._path / f"{name}.gz", self._path / name
        if packed.is_file():
            with gzip.open(packed, "rt", encoding="utf-8") as lines:
                yield from map(json.loads, lines)
        elif plain.is_file():
            with plain.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)
        else:
            raise SystemExit(f"error: {self._path} is no BEIR folder: it has no {name}")
