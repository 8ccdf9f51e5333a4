"""Reads what was fetched whatever its headers are called.

aiokafka decodes the names of headers as it goes through a fetched batch, and one that is not UTF-8
raises there, before anything of ours sees the record (docs/adr/0011).
"""

from collections.abc import Iterator
from typing import Any

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

# Where a batch says how it goes on; https://kafka.apache.org/documentation/#recordbatch
_LENGTH = slice(8, 12)
_MAGIC = 16
_COUNT = slice(57, 61)
_HEADER_BYTES = 61

_DECOMPRESS = {
    DefaultRecordBatch.CODEC_NONE: bytes,
    DefaultRecordBatch.CODEC_GZIP: codec.gzip_decode,
    DefaultRecordBatch.CODEC_SNAPPY: codec.snappy_decode,
    DefaultRecordBatch.CODEC_LZ4: codec.lz4_decode,
    DefaultRecordBatch.CODEC_ZSTD: codec.zstd_decode,
}


def install() -> None:
    """Make every consumer of this process read its batches here."""
    fetcher.MemoryRecords = FetchedRecords


class FetchedRecords:
    """The batches of one partition's answer to a fetch; has the face of aiokafka's own."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def size_in_bytes(self) -> int:
        """Of all batches."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether another batch is there as a whole; the broker may cut off the last one."""
        return self._end <= len(self._data)

    def next_batch(self) -> Any:
        """The next batch; iterating over it gives its records."""
        data = self._data[self._at : self._end]
        self._at = self._end
        batch = MemoryRecords(data).next_batch()
        if data[_MAGIC] < 2 or batch.is_control_batch:
            return batch
        return _Batch(batch, data)

    @property
    def _end(self) -> int:
        start = self._at + _LENGTH.stop
        length = self._data[self._at + _LENGTH.start : start]
        if len(length) < _LENGTH.stop - _LENGTH.start:
            return len(self._data) + 1
        return start + int.from_bytes(length, "big")


class _Batch:
    """One batch as the fetcher looks at it."""

    def __init__(self, batch: DefaultRecordBatch, data: bytes) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[DefaultRecord]:
        try:
            yield from self._batch
        except UnicodeDecodeError:
            # From the beginning: the fetcher passes over what it has already.
            yield from _records(self._batch, self._data)


def _records(batch: DefaultRecordBatch, data: bytes) -> Iterator[DefaultRecord]:
    """Decode a batch as aiokafka does; bytes of a header's name that are not UTF-8 become `\\xNN`.

    The layout is that of https://kafka.apache.org/documentation/#record
    """
    body = _DECOMPRESS[batch.compression_type](data[_HEADER_BYTES:])
    at = 0

    def number() -> int:
        nonlocal at
        value, at = decode_varint(body, at)
        return int(value)

    def piece() -> bytes | None:
        nonlocal at
        length = number()
        if length < 0:
            return None
        start, at = at, at + length
        return bytes(body[start:at])

    for _ in range(int.from_bytes(data[_COUNT], "big")):
        end = number() + at
        at += 1  # attributes, of which there are none
        timestamp = batch.first_timestamp + number()
        if batch.timestamp_type:
            timestamp = batch.max_timestamp
        offset = batch.base_offset + number()
        key, value = piece(), piece()
        headers = [
            ((piece() or b"").decode(errors="backslashreplace"), piece()) for _ in range(number())
        ]
        if at != end or at > len(body):
            raise CorruptRecordException(f"the record at offset {offset} is not as long as it says")
        yield DefaultRecord(offset, timestamp, batch.timestamp_type, key, value, headers)
