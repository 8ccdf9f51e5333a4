"""Reads what was fetched, whatever its headers are called and however much it holds.

aiokafka decompresses a batch in one piece, and decodes the names of headers as it goes through it;
one that is not UTF-8 raises there, before anything of ours sees the record (docs/adr/0011).
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from gyre_common.bus.decompression import decompress
from gyre_common.bus.record import UnreadValue

# Where a batch says how it goes on; https://kafka.apache.org/documentation/#recordbatch
_LENGTH = slice(8, 12)
_MAGIC = 16
_ATTRIBUTES = slice(21, 23)
_COUNT = slice(57, 61)
_HEADER_BYTES = 61

LARGEST_BATCH = 32 * 1024 * 1024
"""Bytes that one batch may hold after decompression; what lies behind them is not read."""

_AT_ONCE = 8 * 1024 * 1024
"""Decompressed bytes of a partition past which the rest of a fetch is left for the next one."""


def install() -> None:
    """Make every consumer of this process read its batches here."""
    fetcher.MemoryRecords = FetchedRecords


class FetchedRecords:
    """The batches of one partition's answer to a fetch; has the face of aiokafka's own."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._decompressed = 0

    def size_in_bytes(self) -> int:
        """Of all batches."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether another batch is to be read now; the broker may have cut off the last one."""
        return self._decompressed < _AT_ONCE and self._end <= len(self._data)

    def next_batch(self) -> Any:
        """The next batch; iterating over it gives its records."""
        data = self._data[self._at : self._end]
        self._at = self._end
        batch = MemoryRecords(data).next_batch()
        if data[_MAGIC] < 2 or batch.is_control_batch:
            return batch
        return _FetchedBatch(batch, data, self)

    def decompress(self, codec: int, data: bytes) -> bytes:
        """All that a batch holds, or more than it may."""
        body = decompress(codec, data, LARGEST_BATCH + 1)
        self._decompressed += len(body)
        return body

    @property
    def _end(self) -> int:
        start = self._at + _LENGTH.stop
        length = self._data[self._at + _LENGTH.start : start]
        if len(length) < _LENGTH.stop - _LENGTH.start:
            return len(self._data) + 1
        return start + int.from_bytes(length, "big")


class _Record(NamedTuple):
    """A record as the fetcher looks at it."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    checksum: None = None


class _FetchedBatch:
    """One batch as the fetcher looks at it."""

    def __init__(self, batch: DefaultRecordBatch, data: bytes, fetched: FetchedRecords) -> None:
        self._batch = batch
        self._data = data
        self._fetched = fetched
        self._intact = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def validate_crc(self) -> bool:
        """True: what is damaged is shown as a record."""
        self._intact = self._batch.validate_crc()
        return True

    def __iter__(self) -> Iterator[Any]:
        first = self._batch.base_offset
        try:
            if not self._intact:
                raise CorruptRecordException("its checksum is wrong")
            for record in self._readable():
                yield record
                first = record.offset + 1
        except Exception as error:  # noqa: BLE001 - whatever is wrong with bytes from outside
            # With its checksum right, every copy of it is as its producer made it.
            yield self._unread_record(first, f"cannot be read: {error!r}", damaged=not self._intact)

    def _readable(self) -> Iterator[Any]:
        batch, head, body = self._batch, self._data[:_HEADER_BYTES], self._data[_HEADER_BYTES:]
        if batch.compression_type:
            body = self._fetched.decompress(batch.compression_type, body)
            head = _without_codec(head)
            if len(body) > LARGEST_BATCH:
                yield from self._readable_prefix(body)
                return
            batch = DefaultRecordBatch(head + body)
        try:
            yield from batch
        except UnicodeDecodeError:
            # From the beginning: the fetcher passes over what it has already.
            yield from self._records(body)

    def _readable_prefix(self, body: bytes) -> Iterator[_Record]:
        """What begins in a batch, and one record in place of all the others."""
        first = self._batch.base_offset
        try:
            for record in self._records(body):
                yield record
                first = record.offset + 1
        except CorruptRecordException:
            pass  # where the bytes end
        yield self._unread_record(
            first, f"holds more than {LARGEST_BATCH} after decompression", damaged=False
        )

    def _unread_record(self, first: int, problem: str, *, damaged: bool) -> _Record:
        """At the last offset: a fetch may begin in the midst, and what lies below is dropped."""
        last = self._batch.next_offset - 1
        offsets = f"offset {last} is" if first == last else f"offsets {first} to {last} are"
        reason = f"a batch of {len(self._data)} bytes {problem}; {offsets} not read"
        value = UnreadValue(reason, first=first, batch=self._data, damaged=damaged)
        return self._record(last, self._batch.max_timestamp, value=value)

    def _records(self, body: bytes) -> Iterator[_Record]:
        """Decode as aiokafka does; bytes of a header's name that are not UTF-8 become `\\xNN`.

        The layout is that of https://kafka.apache.org/documentation/#record

        Raises:
            CorruptRecordException: a record is not there as a whole.
        """
        batch = self._batch
        at = 0

        def number() -> int:
            nonlocal at
            try:
                value, at = decode_varint(body, at)
            except IndexError:
                raise CorruptRecordException("the records end too early") from None
            return int(value)

        def piece() -> bytes | None:
            nonlocal at
            length = number()
            if length < 0:
                return None
            start, at = at, at + length
            return body[start:at]

        for _ in range(int.from_bytes(self._data[_COUNT], "big")):
            end = number() + at
            if end > len(body):
                raise CorruptRecordException("the records end too early")
            at += 1  # attributes, of which there are none
            timestamp = batch.first_timestamp + number()
            offset = batch.base_offset + number()
            key, value = piece(), piece()
            headers = [
                ((piece() or b"").decode(errors="backslashreplace"), piece())
                for _ in range(number())
            ]
            if at != end:
                raise CorruptRecordException(f"the record at {offset} is not as long as it says")
            yield self._record(offset, timestamp, key, value, headers)

    def _record(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> _Record:
        batch = self._batch
        created_at = batch.max_timestamp if batch.timestamp_type else timestamp
        return _Record(offset, created_at, batch.timestamp_type, key, value, headers)


def _without_codec(head: bytes) -> bytes:
    (attributes,) = struct.unpack(">h", head[_ATTRIBUTES])
    plain = struct.pack(">h", attributes & ~DefaultRecordBatch.CODEC_MASK)
    return head[: _ATTRIBUTES.start] + plain + head[_ATTRIBUTES.stop :]
