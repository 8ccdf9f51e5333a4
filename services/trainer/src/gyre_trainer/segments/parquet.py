"""Facts as Parquet: the schema of a topic, and the way there and back, follow from its fact."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.feedback import FEEDBACK_RECEIVED
from gyre_common.events.interactions import INTERACTION_COMPLETED, INTERACTION_JUDGED, Turn
from gyre_common.store import DamagedContentError

from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, JudgementFact

F = TypeVar("F", InteractionFact, FeedbackFact, JudgementFact)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
    Turn: pa.struct({"role": pa.string(), "content": pa.string()}),
}


@dataclass(frozen=True)
class Stream(Generic[F]):
    """How the facts of one topic are kept. `time` is the column that says when it happened."""

    topic: str
    time: str
    fact: type[F]

    @cached_property
    def schema(self) -> pa.Schema:
        """Fields with a default came after the first segments: older ones lack these columns."""
        hints = get_type_hints(self.fact)
        columns = []
        for one in dataclasses.fields(self.fact):
            is_newer = one.default is not dataclasses.MISSING
            columns.append(pa.field(one.name, _arrow_type(hints[one.name]), nullable=is_newer))
        return pa.schema(columns, metadata={"gyre.format": "2"})

    def table(self, facts: Sequence[F]) -> pa.Table:
        """The facts as rows."""
        return pa.Table.from_pylist(list(map(_row, facts)), schema=self.schema)

    def facts(self, table: pa.Table, tenant: str) -> list[F]:
        """Those in a table, of one tenant or of EVERY_TENANT, in the order of their offsets."""
        if tenant != EVERY_TENANT:
            table = table.filter(pc.equal(table["tenant"], tenant))
        names = self.schema.names
        batches = (dict(zip(names, batch.columns, strict=True)) for batch in table.to_batches())
        return [fact for columns in batches for fact in _instances(self.fact, columns)]


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as one file, compressed."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_parquet(data: bytes, schema: pa.Schema, name: str) -> pa.Table:
    """The rows of one file; columns that it lacks are null. Raises DamagedContentError."""
    try:
        return pq.read_table(pa.BufferReader(data), schema=schema)
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedContentError(
            f"{name} cannot be read ({error}): restore it from a copy of the store"
        ) from error


def each_once(tables: Sequence[pa.Table], *, first: int, end: int) -> pa.Table:
    """The rows from `first` up to, not including, `end`, by offset; of one offset the first row."""
    table = pa.concat_tables(tables)
    offsets = table["offset"].to_numpy()
    unique_offsets, places = np.unique(offsets, return_index=True)
    return table.take(pa.array(places[(unique_offsets >= first) & (unique_offsets < end)]))


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return pa.struct({name: _arrow_type(of) for name, of in get_type_hints(hint).items()})
    kinds = [_arrow_type(kind) for kind in get_args(hint) if kind not in (..., NoneType)]
    if get_origin(hint) is Mapping:
        return pa.map_(*kinds)
    return pa.list_(*kinds) if get_origin(hint) is tuple else kinds[0]


def _row(fact: Any) -> dict[str, Any]:
    # Unlike dataclasses.asdict this copies nothing but passages and turns.
    row = {one.name: getattr(fact, one.name) for one in dataclasses.fields(fact)}
    if isinstance(fact, InteractionFact):
        row["shown"] = list(map(_row, fact.shown))
        row["example_documents"] = list(map(_row, fact.example_documents))
        row["history"] = list(map(dict, fact.history))
    return row


def _instances(kind: Any, columns: Mapping[str, pa.Array]) -> list[Any]:
    hints = get_type_hints(kind)
    values = [
        _values(columns[one.name], hints[one.name], one.default) for one in dataclasses.fields(kind)
    ]
    return [kind(*row) for row in zip(*values, strict=True)]


def _values(array: pa.Array, hint: Any, default: Any) -> list[Any]:
    # Column by column; a scalar at a time, as `to_pylist` has it, takes ten times as long.
    origin, (kind, *_) = get_origin(hint), get_args(hint) or (None,)
    if origin is Mapping:
        first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
        keys = array.keys.slice(first, last - first).to_pylist()
        values = array.items.slice(first, last - first).to_pylist()
        return [dict(zip(keys[i:j], values[i:j], strict=True)) for i, j in _bounds(array)]
    if origin is tuple:
        flat = _values(array.flatten(), kind, default)
        return [tuple(flat[i:j]) for i, j in _bounds(array)]
    if origin is UnionType:
        shared: dict[Any, Any] = {}
        known = zip(_values(array, kind, default), array.is_valid().to_pylist(), strict=True)
        return [shared.setdefault(value, value) if valid else None for value, valid in known]
    if hint is Turn:
        return [Turn(**one) for one in array.to_pylist()]
    if dataclasses.is_dataclass(hint):
        names = [one.name for one in array.type]
        return _instances(hint, dict(zip(names, array.flatten(), strict=True)))
    if hint is datetime:
        micros = array.cast(pa.int64()).to_pylist()
        return [_EPOCH + timedelta(microseconds=value) for value in micros]
    if array.null_count:
        array = array.fill_null(default)
    return _shared(array) if hint is str else array.to_pylist()


def _shared(strings: pa.StringArray) -> list[str]:
    """Equal values as one object: passages come again and again."""
    encoded = strings.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return [values[index] for index in encoded.indices.to_pylist()]


def _bounds(lists: Any) -> Iterator[tuple[int, int]]:
    offsets = np.asarray(lists.offsets)
    return pairwise((offsets - offsets[0]).tolist())


INTERACTIONS = Stream(INTERACTION_COMPLETED.name, "completed_at", InteractionFact)
FEEDBACK = Stream(FEEDBACK_RECEIVED.name, "received_at", FeedbackFact)
JUDGEMENTS = Stream(INTERACTION_JUDGED.name, "judged_at", JudgementFact)
STREAMS: tuple[Stream[Any], ...] = (INTERACTIONS, JUDGEMENTS, FEEDBACK)
