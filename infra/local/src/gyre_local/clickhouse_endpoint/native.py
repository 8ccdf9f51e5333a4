"""Native blocks for clients that name a protocol version: chdb writes those of the first one.

Such a block begins with facts about itself, and a byte before each column's data says whether the
data is serialized in a way of its own (never here). Where a column ends is known only by reading
it. https://clickhouse.com/docs/native-protocol/server#block, src/Formats/NativeWriter.cpp
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from gyre_local.clickhouse_endpoint.errors import Code, EngineError

FIRST_VERSION = 54454
"""DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION: clients before it get what chdb writes."""

_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow row, bucket -1
_USUAL_SERIALIZATION = b"\x00"
_BYTES = {
    "UInt8": 1, "UInt16": 2, "UInt32": 4, "UInt64": 8, "UInt128": 16, "UInt256": 32,
    "Int8": 1, "Int16": 2, "Int32": 4, "Int64": 8, "Int128": 16, "Int256": 32,
    "BFloat16": 2, "Float32": 4, "Float64": 8, "Bool": 1, "Enum8": 1, "Enum16": 2,
    "Date": 2, "Date32": 4, "DateTime": 4, "DateTime64": 8, "Time": 4, "Time64": 8,
    "UUID": 16, "IPv4": 4, "IPv6": 16, "Nothing": 1,
}  # fmt: skip
_DECIMAL_BYTES = ((9, 4), (18, 8), (38, 16), (76, 32))
_MORE_KEYS = 1 << 9
_INDEX_BYTES = 0xFF


def with_block_info(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same blocks at `FIRST_VERSION`. Raises EngineError at a type that has other forms."""
    for data in blocks:
        yield b"".join(_Cursor(data).pieces())


@dataclass(frozen=True)
class _Type:
    """A type's name and its arguments; those of a Tuple without the names of its parts."""

    name: str
    arguments: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        name, _, inside = text.partition("(")
        return cls(name, tuple(_split(inside.removesuffix(")"))))

    @property
    def inner(self) -> "list[_Type]":
        arguments = self.arguments[1:] if self.name == "SimpleAggregateFunction" else self.arguments
        if self.name in ("Tuple", "Nested"):
            arguments = tuple(map(_unnamed, arguments))
        return [_Type.read(text) for text in arguments]

    @property
    def bytes_a_value(self) -> int:
        """0 where values differ in size."""
        if self.name == "FixedString":
            return int(self.arguments[0])
        if self.name == "Decimal":
            return next(size for most, size in _DECIMAL_BYTES if int(self.arguments[0]) <= most)
        return 8 if self.name.startswith("Interval") else _BYTES.get(self.name, 0)


class _Cursor:
    """A place in Native data. `skip…` methods move it past what they name."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def pieces(self) -> Iterator[bytes]:
        """All of the data, with what a version adds in between."""
        while self._at < len(self._data):
            yield _BLOCK_INFO
            begin = self._at
            columns, rows = self._varint(), self._varint()
            for _ in range(columns):
                self._skip_strings(1)  # its name
                kind = _Type.read(self._text())
                yield self._data[begin : self._at] + _USUAL_SERIALIZATION
                begin = self._at
                if rows:
                    self._skip_prefix(kind)
                    self._skip(kind, rows)
            yield self._data[begin : self._at]

    def _skip_prefix(self, kind: _Type) -> None:
        """A LowCardinality's version stands before all data of its column."""
        if kind.name == "LowCardinality":
            self._at += 8
        elif not kind.bytes_a_value and kind.name != "String":
            for inner in kind.inner:
                self._skip_prefix(inner)

    def _skip(self, kind: _Type, rows: int) -> None:
        if not rows:
            return
        if size := kind.bytes_a_value:
            self._at += size * rows
            return
        match kind.name:
            case "String":
                self._skip_strings(rows)
            case "Nullable":
                self._at += rows
                self._skip(kind.inner[0], rows)
            case "Array" | "Map" | "Nested":
                self._at += 8 * rows
                items = self._number(self._at - 8)
                for inner in kind.inner:
                    self._skip(inner, items)
            case "Tuple" | "SimpleAggregateFunction" if kind.arguments:
                for inner in kind.inner:
                    self._skip(inner, rows)
            case "LowCardinality":
                self._skip_dictionary(kind.inner[0])
            case _:
                raise EngineError.refusal(
                    Code.NOT_IMPLEMENTED,
                    f"{kind.name} is not offered at this client_protocol_version: "
                    "select toString(…) or toJSONString(…) of it.",
                )

    def _skip_dictionary(self, kind: _Type) -> None:
        flags = self._number(self._at)
        self._at += 8
        if flags & _MORE_KEYS:
            keys = self._number(self._at)
            self._at += 8
            self._skip(kind.inner[0] if kind.name == "Nullable" else kind, keys)
        rows = self._number(self._at)
        self._at += 8 + (rows << (flags & _INDEX_BYTES))

    def _skip_strings(self, count: int) -> None:
        for _ in range(count):
            size = self._varint()
            self._at += size

    def _text(self) -> str:
        size = self._varint()
        self._at += size
        return self._data[self._at - size : self._at].decode()

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 8], "little")


def _split(text: str) -> Iterator[str]:
    """At the commas that stand in no brackets and no quotes."""
    depth, quote, begin, escaped = 0, "", 0, False
    for at, one in enumerate(text):
        if escaped or one == "\\":
            escaped = not escaped
        elif quote:
            quote = "" if one == quote else quote
        elif one in "'`":
            quote = one
        elif one in "()":
            depth += 1 if one == "(" else -1
        elif one == "," and not depth:
            yield text[begin:at].strip()
            begin = at + 1
    if text:
        yield text[begin:].strip()


def _unnamed(part: str) -> str:
    """`start UInt32` of a Tuple is a UInt32."""
    if part.startswith("`"):
        return part[part.index("` ", 1) + 2 :]
    name, space, kind = part.partition(" ")
    return kind if space and "(" not in name else part
