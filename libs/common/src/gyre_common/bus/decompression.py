"""Decompresses what producers compressed, and never more of it than a limit.

A few kilobytes can stand for gigabytes, and aiokafka decompresses a batch in one piece.
"""

import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import cramjam
from aiokafka.record.default_records import DefaultRecordBatch
from lz4.frame import LZ4FrameDecompressor

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdDecompressor
else:
    from backports.zstd import ZstdDecompressor

_GZIP_CONTAINER = 31  # of zlib's window sizes, the largest within a gzip header

# Of Java's snappy streams: magic, version, oldest version that can read it, then blocks.
# https://github.com/xerial/snappy-java/blob/master/src/main/java/org/xerial/snappy/SnappyCodec.java
_SNAPPY_STREAM = b"\x82SNAPPY\x00"
_SNAPPY_STREAM_HEADER = 16


def decompress(codec: int, data: bytes, limit: int) -> bytes:
    """All that the data hold, or the first `limit` bytes of it, or a few more.

    `codec` is a number of Kafka's. Raises whatever the codec's library raises for broken data.
    """
    return _DECOMPRESS[codec](data, limit)


def _plain(data: bytes, limit: int) -> bytes:
    return data


def _in_steps(new: Callable[[], Any]) -> Callable[[bytes, int], bytes]:
    """By a decompressor that stops at a limit; there may be several streams in a row."""

    def decompress(data: bytes, limit: int) -> bytes:
        pieces = []
        while data and limit > 0:
            stream = new()
            pieces.append(stream.decompress(data, max_length=limit))
            limit -= len(pieces[-1])
            if not stream.eof and limit > 0:
                raise EOFError("the compressed data end too early")
            data = stream.unused_data
        return b"".join(pieces)

    return decompress


class _Gzip:
    """zlib's decompressor, whose `max_length` has another name."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_CONTAINER)

    def decompress(self, data: bytes, *, max_length: int) -> bytes:
        return self._zlib.decompress(data, max_length)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


def _snappy(data: bytes, limit: int) -> bytes:
    if not data.startswith(_SNAPPY_STREAM):
        return _snappy_block(data, limit)
    pieces = []
    size, at = 0, _SNAPPY_STREAM_HEADER
    while at < len(data) and size < limit:
        (length,) = struct.unpack_from(">i", data, at)
        start, at = at + 4, at + 4 + length
        pieces.append(_snappy_block(data[start:at], limit))
        size += len(pieces[-1])
    return b"".join(pieces)


def _snappy_block(block: bytes, limit: int) -> bytes:
    """A block says its size beforehand, and holds no more than some thirty times its own."""
    size = cramjam.snappy.decompress_raw_len(block)
    if size > limit:
        raise ValueError(f"a block of snappy says that it holds {size} bytes")
    return bytes(cramjam.snappy.decompress_raw(block))


_DECOMPRESS: Mapping[int, Callable[[bytes, int], bytes]] = {
    DefaultRecordBatch.CODEC_NONE: _plain,
    DefaultRecordBatch.CODEC_GZIP: _in_steps(_Gzip),
    DefaultRecordBatch.CODEC_SNAPPY: _snappy,
    DefaultRecordBatch.CODEC_LZ4: _in_steps(LZ4FrameDecompressor),
    DefaultRecordBatch.CODEC_ZSTD: _in_steps(ZstdDecompressor),
}
