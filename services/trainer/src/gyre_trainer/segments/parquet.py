"""Facts as Parquet: one schema a topic, and the way there and back."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED, Turn
from gyre_common.store import DamagedContentError

from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, JudgementFact, Shown

F = TypeVar("F", InteractionFact, FeedbackFact, JudgementFact)

_WHEN = pa.timestamp("us", tz="UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBERS = pa.map_(pa.string(), pa.float64())
_WORDS = pa.map_(pa.string(), pa.string())
_LATER = {"query": "", "filtered": False, "actor": "", "prompt": "", "answer": "", "comment": ""}
"""Columns that came after the first segments, and what their absence means."""


def _schema(*later: tuple[str, pa.DataType], **columns: pa.DataType) -> pa.Schema:
    """`later` are the columns that older segments lack."""
    fields = [pa.field(name, kind, nullable=False) for name, kind in columns.items()]
    fields += [pa.field(name, kind) for name, kind in later]
    return pa.schema(fields, metadata={"gyre.format": "2"})


_SHOWN = pa.struct(
    {
        "chunk_id": pa.string(),
        "document_id": pa.string(),
        "revision": pa.int64(),
        "rank": pa.int32(),
        "scores": _NUMBERS,
        "used": pa.bool_(),
        "explored": pa.bool_(),
        "propensity": pa.float64(),
        "text": pa.string(),
        "heading": pa.string(),
        "acl": pa.list_(pa.string()),
    }
)
_TURN = pa.struct({"role": pa.string(), "content": pa.string()})


@dataclass(frozen=True)
class Stream(Generic[F]):
    """How the facts of one topic are kept. `time` is the column that says when it happened."""

    topic: str
    time: str
    schema: pa.Schema
    read: Callable[[pa.Table], list[F]]

    def table(self, facts: Sequence[F]) -> pa.Table:
        """The facts as rows."""
        return pa.Table.from_pylist(list(map(_row, facts)), schema=self.schema)

    def encode(self, facts: Sequence[F]) -> bytes:
        """The facts as one Parquet file."""
        return parquet_bytes(self.table(facts))

    def decode(self, data: bytes, name: str) -> pa.Table:
        """The rows of one file. Raises DamagedContentError."""
        try:
            return pq.read_table(pa.BufferReader(data), schema=self.schema)
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedContentError(
                f"segment {name} cannot be read ({error}): restore it from a copy of the store"
            ) from error

    def facts(self, table: pa.Table, tenant: str | None) -> list[F]:
        """The facts in a table, of one tenant or of all, in the order of their offsets."""
        if tenant is not None:
            table = table.filter(pc.equal(table["tenant"], tenant))
        return self.read(table)


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as one file, compressed."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def each_once(tables: Sequence[pa.Table], *, first: int, end: int) -> pa.Table:
    """The rows from `first` up to, not including, `end`, by offset; of one offset the first row."""
    table = pa.concat_tables(tables)
    offsets = table["offset"].to_numpy()
    unique_offsets, places = np.unique(offsets, return_index=True)
    return table.take(pa.array(places[(unique_offsets >= first) & (unique_offsets < end)]))


def _row(fact: Any) -> dict[str, Any]:
    # Unlike dataclasses.asdict this copies nothing but the passages.
    row = {name: getattr(fact, name) for name in _names(type(fact))}
    if "shown" in row:
        row["shown"] = [{name: getattr(s, name) for name in _names(Shown)} for s in row["shown"]]
        row["history"] = [{"role": turn.role, "content": turn.content} for turn in row["history"]]
    return row


def _names(kind: Any) -> list[str]:
    return [one.name for one in dataclasses.fields(kind)]


def _interactions(table: pa.Table) -> list[InteractionFact]:
    columns = _columns(table, "shown", "acl", "cited", "versions", "arms", "history")
    shown, acl, cited = (_array(table, name) for name in ("shown", "acl", "cited"))
    history = _array(table, "history")
    columns["history"] = _parts([Turn(**one) for one in history.flatten().to_pylist()], history)
    columns["shown"] = _parts(_passages(shown.flatten()), shown)
    columns["acl"] = _parts(acl.flatten().to_pylist(), acl)
    columns["cited"] = _parts(cited.flatten().to_pylist(), cited)
    columns["versions"] = _mappings(_array(table, "versions"))
    columns["arms"] = _mappings(_array(table, "arms"))
    return _instances(InteractionFact, columns)


def _passages(structs: pa.StructArray) -> list[Shown]:
    names = [one.name for one in structs.type]
    arrays = dict(zip(names, structs.flatten(), strict=True))
    columns = {name: array.to_pylist() for name, array in arrays.items() if name not in _OWN_WAY}
    columns["scores"] = _mappings(arrays["scores"])
    columns["text"] = _shared(arrays["text"])
    columns["heading"] = _shared(arrays["heading"])
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    columns["acl"] = [
        None if acl is None else groups.setdefault(tuple(acl), tuple(acl))
        for acl in arrays["acl"].to_pylist()
    ]
    return _instances(Shown, columns)


_OWN_WAY = frozenset({"scores", "text", "heading", "acl"})


def _shared(strings: pa.StringArray) -> list[str]:
    """Equal values as one object: passages come again and again."""
    encoded = strings.fill_null("").dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return [values[index] for index in encoded.indices.to_pylist()]


def _feedback(table: pa.Table) -> list[FeedbackFact]:
    return _instances(FeedbackFact, _columns(table))


def _judgements(table: pa.Table) -> list[JudgementFact]:
    columns = _columns(table, "scores")
    columns["scores"] = _mappings(_array(table, "scores"))
    return _instances(JudgementFact, columns)


def _instances(kind: Callable[..., Any], columns: dict[str, list[Any]]) -> list[Any]:
    ordered = (columns[name] for name in _names(kind))
    return [kind(*values) for values in zip(*ordered, strict=True)]


def _columns(table: pa.Table, *nested: str) -> dict[str, list[Any]]:
    columns = {}
    for name in table.column_names:
        if name in nested:
            continue
        column = table[name]
        if column.type == _WHEN:
            micros = column.cast(pa.int64()).to_pylist()
            columns[name] = [_EPOCH + timedelta(microseconds=value) for value in micros]
        else:
            filled = column.fill_null(_LATER[name]) if name in _LATER else column
            columns[name] = filled.to_pylist()
    return columns


def _array(table: pa.Table, name: str) -> Any:
    combined = table[name].combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)


def _parts(flat: Sequence[Any], lists: Any) -> list[tuple[Any, ...]]:
    return [tuple(flat[begin:end]) for begin, end in _bounds(lists)]


def _mappings(maps: Any) -> list[dict[str, Any]]:
    # Column by column; a scalar at a time, as `to_pylist` has it, takes ten times as long.
    first, last = maps.offsets[0].as_py(), maps.offsets[-1].as_py()
    keys = maps.keys.slice(first, last - first).to_pylist()
    values = maps.items.slice(first, last - first).to_pylist()
    return [
        dict(zip(keys[begin:end], values[begin:end], strict=True)) for begin, end in _bounds(maps)
    ]


def _bounds(lists: Any) -> Iterator[tuple[int, int]]:
    offsets = np.asarray(lists.offsets)
    bounds = (offsets - offsets[0]).tolist()
    return pairwise(bounds)


INTERACTIONS: Stream[InteractionFact] = Stream(
    INTERACTION_COMPLETED.name,
    "completed_at",
    _schema(
        ("query", pa.string()),
        ("filtered", pa.bool_()),
        ("actor", pa.string()),
        ("history", pa.list_(_TURN)),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        offset=pa.int64(),
        tenant=pa.string(),
        interaction_id=pa.string(),
        conversation_id=pa.string(),
        question=pa.string(),
        acl=pa.list_(pa.string()),
        outcome=pa.string(),
        versions=_WORDS,
        arms=_WORDS,
        shown=pa.list_(_SHOWN),
        cited=pa.list_(pa.string()),
        started_at=_WHEN,
        completed_at=_WHEN,
    ),
    _interactions,
)
FEEDBACK: Stream[FeedbackFact] = Stream(
    FEEDBACK_RECEIVED.name,
    "received_at",
    _schema(
        ("comment", pa.string()),
        offset=pa.int64(),
        tenant=pa.string(),
        interaction_id=pa.string(),
        feedback_id=pa.string(),
        kind=pa.string(),
        value=pa.string(),
        target=pa.string(),
        actor=pa.string(),
        received_at=_WHEN,
    ),
    _feedback,
)
JUDGEMENTS: Stream[JudgementFact] = Stream(
    INTERACTION_JUDGED.name,
    "judged_at",
    _schema(
        offset=pa.int64(),
        tenant=pa.string(),
        interaction_id=pa.string(),
        judge_version=pa.string(),
        scores=_NUMBERS,
        judged_at=_WHEN,
    ),
    _judgements,
)
STREAMS: tuple[Stream[Any], ...] = (INTERACTIONS, JUDGEMENTS, FEEDBACK)
