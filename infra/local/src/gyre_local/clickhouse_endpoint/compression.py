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
_WINDOW_LOG = 25  # zstd asks for a window of up to 2 GB in memory; no level below 20 needs 32 MB


class ContentEncoder(Protocol):
    """Compresses a body piece by piece."""

    def encode(self, piece: bytes) -> bytes:
        """Take a piece; return what is ready, perhaps nothing."""

    def finish(self) -> bytes:
        """Return the rest. Call it once, at the end."""


class Decoder(Protocol):
    """Decompresses a body piece by piece."""

    def decode(self, piece: bytes) -> Iterator[bytes]:
        """Take a piece; yield what is ready, some LARGEST_PIECE at once, so that a bomb fills no
        memory. Raises EngineError where it is broken.
        """

    @property
    def finished(self) -> bool:
        """Tell whether the end of the body was seen."""


class Identity:
    """No encoding."""

    def encode(self, piece: bytes) -> bytes:
        """Return the piece as it is."""
        return piece

    def finish(self) -> bytes:
        """Return nothing: nothing is held back."""
        return b""


class CompressedBlocks:
    """ClickHouse's own blocks, which `compress=1` asks for: checksum, method, two sizes, LZ4.

    https://clickhouse.com/docs/native-protocol/compression
    """

    _LZ4 = 0x82
    _HEAD = struct.Struct("<BII")
    _CHECKSUM = struct.Struct("<QQ")

    def encode(self, piece: bytes) -> bytes:
        """Return the piece as blocks."""
        starts = range(0, len(piece), LARGEST_PIECE)
        return b"".join(self._block(piece[start : start + LARGEST_PIECE]) for start in starts)

    def finish(self) -> bytes:
        """Return nothing: nothing is held back."""
        return b""

    def _block(self, plain: bytes) -> bytes:
        packed: bytes = lz4.block.compress(plain, store_size=False)
        head = self._HEAD.pack(self._LZ4, self._HEAD.size + len(packed), len(plain))
        checksum = CityHash128(head + packed)
        return self._CHECKSUM.pack(checksum >> 64, checksum & (1 << 64) - 1) + head + packed


def encoder(accept_encoding: str) -> tuple[str, ContentEncoder] | None:
    """Choose the first encoding of an Accept-Encoding header that is known here, or none."""
    for offer in accept_encoding.split(","):
        name, _, weight = offer.strip().lower().partition(";")
        if name in _ENCODERS and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return name, _ENCODERS[name]()
    return None


def decoder(encoding: str) -> Decoder:
    """Find the decoder for a Content-Encoding header.

    Raises:
        EngineError: NOT_IMPLEMENTED, naming what there is.
    """
    name = encoding.strip().lower()
    if name not in _DECODERS:
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            f"Unknown Content-Encoding {name[:32]}: send one of {', '.join(_DECODERS)}.",
        )
    return _DECODERS[name]()


class _Lz4Encoder:
    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._frame_begun = False

    def encode(self, piece: bytes) -> bytes:
        start = b"" if self._frame_begun else self._frame.begin()
        self._frame_begun = True
        return bytes(start + self._frame.compress(piece))

    def finish(self) -> bytes:
        return self.encode(b"") + bytes(self._frame.flush())


class _ZstdEncoder:
    def __init__(self) -> None:
        self._frame = zstd.ZstdCompressor(level=1)

    def encode(self, piece: bytes) -> bytes:
        return self._frame.compress(piece)

    def finish(self) -> bytes:
        return self._frame.flush()


class _ZlibEncoder:
    def __init__(self, window: int) -> None:
        self._stream = zlib.compressobj(3, zlib.DEFLATED, window)

    def encode(self, piece: bytes) -> bytes:
        return self._stream.compress(piece)

    def finish(self) -> bytes:
        return self._stream.flush()


class _BrotliEncoder:
    def __init__(self) -> None:
        self._stream = brotli.Compressor(quality=3)

    def encode(self, piece: bytes) -> bytes:
        return bytes(self._stream.process(piece))

    def finish(self) -> bytes:
        return bytes(self._stream.finish())


class _FrameDecoder:
    """lz4 and zstd: bodies may be several frames in a row."""

    def __init__(self, new_frame: Callable[[], "_Frame"]) -> None:
        self._new_frame = new_frame
        self._frame = new_frame()
        self._frame_begun = False

    def decode(self, piece: bytes) -> Iterator[bytes]:
        while piece or not (self._frame.eof or self._frame.needs_input):
            if self._frame.eof:
                self._frame, self._frame_begun = self._new_frame(), False
            try:
                yield self._frame.decompress(piece, LARGEST_PIECE)
            except (RuntimeError, zstd.ZstdError) as error:
                raise _broken() from error
            self._frame_begun = True
            piece = (self._frame.unused_data or b"") if self._frame.eof else b""

    @property
    def finished(self) -> bool:
        return self._frame.eof or not self._frame_begun


class _Frame(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...


class _ZlibDecoder:
    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def decode(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            try:
                yield self._stream.decompress(piece, LARGEST_PIECE)
            except zlib.error as error:
                raise _broken() from error
            piece = self._stream.unconsumed_tail

    @property
    def finished(self) -> bool:
        return self._stream.eof


class _BrotliDecoder:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def decode(self, piece: bytes) -> Iterator[bytes]:
        out = None
        while (piece or out) and not (out is not None and self._stream.is_finished()):
            try:
                out = bytes(self._stream.process(piece, output_buffer_limit=LARGEST_PIECE))
            except brotli.error as error:
                raise _broken() from error
            piece = b""
            yield out

    @property
    def finished(self) -> bool:
        return bool(self._stream.is_finished())


def _broken() -> EngineError:
    return EngineError.refusal(
        Code.CANNOT_DECOMPRESS, "The body is not what its Content-Encoding says."
    )


_GZIP_WINDOW, _ZLIB_WINDOW = 31, 15

_ENCODERS: dict[str, Callable[[], ContentEncoder]] = {
    "lz4": _Lz4Encoder,
    "zstd": _ZstdEncoder,
    "gzip": lambda: _ZlibEncoder(_GZIP_WINDOW),
    "deflate": lambda: _ZlibEncoder(_ZLIB_WINDOW),
    "br": _BrotliEncoder,
}
_DECODERS: dict[str, Callable[[], Decoder]] = {
    "lz4": lambda: _FrameDecoder(lz4.frame.LZ4FrameDecompressor),
    "zstd": lambda: _FrameDecoder(
        lambda: zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )
    ),
    "gzip": lambda: _ZlibDecoder(_GZIP_WINDOW),
    "deflate": lambda: _ZlibDecoder(_ZLIB_WINDOW),
    "br": _BrotliDecoder,
}
