"""HTTP content encodings, piece by piece in both directions, as ClickHouse offers them."""

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import lz4.block
import lz4.frame
from clickhouse_cityhash.cityhash import CityHash128

from gyre_local.clickhouse_endpoint.errors import Code, EngineError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


LARGEST_PIECE = 1 << 20
# zstd asks for a window of up to 2 GB in memory; no level below 20 needs 32 MB.
_ZSTD_LIMITS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 25}
_GZIP_WINDOW, _ZLIB_WINDOW = 31, 15


class _Encoder(Protocol):
    """The compressors of zlib and zstd are such; `flush`, once at the end, gives the rest."""

    def compress(self, piece: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def encoder(accept_encoding: str, *, in_blocks: bool = False) -> tuple[str | None, _Encoder]:
    """The first known encoding of an Accept-Encoding header, None without any, and its encoder.

    `in_blocks` (`compress=1`) asks for ClickHouse's own blocks instead, which are no encoding.
    """
    if in_blocks:
        return None, _CompressedBlocks()
    for offer in accept_encoding.split(","):
        name, _, weight = offer.strip().lower().partition(";")
        if name in _ENCODERS and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return name, _ENCODERS[name]()
    return None, _Plain()


def decoder(encoding: str) -> "Decoder":
    """For a Content-Encoding header. Raises EngineError, naming what there is."""
    name = encoding.strip().lower()
    if name not in _FRAMES:
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            f"Unknown Content-Encoding {name[:32]}: send one of {', '.join(_FRAMES)}.",
        )
    return Decoder(_FRAMES[name])


class _Plain:
    def compress(self, piece: bytes) -> bytes:
        return piece

    def flush(self) -> bytes:
        return b""


class _CompressedBlocks:
    """Checksum, method, two sizes, LZ4 (https://clickhouse.com/docs/native-protocol/compression)."""

    _LZ4 = 0x82
    _HEAD = struct.Struct("<BII")
    _CHECKSUM = struct.Struct("<QQ")

    def compress(self, piece: bytes) -> bytes:
        starts = range(0, len(piece), LARGEST_PIECE)
        return b"".join(self._block(piece[start : start + LARGEST_PIECE]) for start in starts)

    def flush(self) -> bytes:
        return b""

    def _block(self, plain: bytes) -> bytes:
        packed: bytes = lz4.block.compress(plain, store_size=False)
        head = self._HEAD.pack(self._LZ4, self._HEAD.size + len(packed), len(plain))
        checksum = CityHash128(head + packed)
        return self._CHECKSUM.pack(checksum >> 64, checksum & (1 << 64) - 1) + head + packed


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._head = self._frame.begin()

    def compress(self, piece: bytes) -> bytes:
        head, self._head = self._head, b""
        return bytes(head + self._frame.compress(piece))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


class _BrotliEncoder:
    def __init__(self) -> None:
        self._stream = brotli.Compressor(quality=3)

    def compress(self, piece: bytes) -> bytes:
        return bytes(self._stream.process(piece))

    def flush(self) -> bytes:
        return bytes(self._stream.finish())


class Decoder:
    """Decompresses a body, which may be several frames in a row."""

    def __init__(self, new_frame: Callable[[], "_Frame"]) -> None:
        self._new_frame = new_frame
        self._frame: _Frame | None = None

    @property
    def finished(self) -> bool:
        """Whether the body may end here."""
        return self._frame is None or self._frame.eof

    def decode(self, piece: bytes) -> Iterator[bytes]:
        """What is ready, some LARGEST_PIECE at once, so that a bomb fills no memory.

        Raises EngineError where the body is broken.
        """
        more = bool(piece)
        while more:
            if self._frame is None or self._frame.eof:
                self._frame = self._new_frame()
            try:
                plain = self._frame.decompress(piece, LARGEST_PIECE)
            except (RuntimeError, zlib.error, zstd.ZstdError, brotli.error) as error:
                raise EngineError.refusal(
                    Code.CANNOT_DECOMPRESS, "The body is not what its Content-Encoding says."
                ) from error
            piece = (self._frame.unused_data or b"") if self._frame.eof else b""
            more = bool(piece or (plain and not self._frame.eof))
            yield plain


class _Frame(Protocol):
    """The decompressors of lz4 and zstd are such; they keep what is past `max_length`."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...


class _ZlibFrame:
    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


class _BrotliFrame:
    unused_data = None

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._stream.process(data, output_buffer_limit=max_length))

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())


_ENCODERS: dict[str, Callable[[], _Encoder]] = {
    "lz4": _Lz4Encoder,
    "zstd": lambda: zstd.ZstdCompressor(level=1),
    "gzip": lambda: zlib.compressobj(3, wbits=_GZIP_WINDOW),
    "deflate": lambda: zlib.compressobj(3, wbits=_ZLIB_WINDOW),
    "br": _BrotliEncoder,
}
_FRAMES: dict[str, Callable[[], _Frame]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": lambda: zstd.ZstdDecompressor(options=_ZSTD_LIMITS),
    "gzip": lambda: _ZlibFrame(_GZIP_WINDOW),
    "deflate": lambda: _ZlibFrame(_ZLIB_WINDOW),
    "br": _BrotliFrame,
}
