"""Every encoding comes back as it went, in whatever pieces it travels."""

import pytest
from gyre_local.clickhouse_endpoint.compression import (
    LARGEST_PIECE,
    Decoder,
    decoder,
    encoder,
)
from gyre_local.clickhouse_endpoint.errors import EngineError
from hypothesis import given, settings
from hypothesis import strategies as st

ENCODINGS = ["lz4", "zstd", "gzip", "deflate", "br"]


def packed(encoding: str, pieces: list[bytes]) -> bytes:
    name, pack = encoder(encoding)
    assert name == encoding
    return b"".join(pack.compress(piece) for piece in pieces) + pack.flush()


def unpacked(unpack: Decoder, piece: bytes) -> bytes:
    return b"".join(unpack.decode(piece))


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=20, deadline=None)
@given(pieces=st.lists(st.binary(max_size=200), max_size=5), cut=st.integers(1, 50))
def test_a_body_survives_both_ways_in_any_pieces(
    encoding: str, pieces: list[bytes], cut: int
) -> None:
    body = packed(encoding, pieces)
    unpack = decoder(encoding)
    plain = b"".join(unpacked(unpack, body[i : i + cut]) for i in range(0, len(body), cut))
    assert plain == b"".join(pieces)
    assert unpack.finished


def test_blocks_are_those_of_clickhouse() -> None:
    # What the engine wrote for a column `UInt8 CODEC(LZ4)`, which lies on disk in the same blocks.
    written = "d74c4038c3e2543897e64c78f2ac88bc820f00000005000000500102030405"
    encoding, pack = encoder("zstd", in_blocks=True)
    assert encoding is None
    assert pack.compress(bytes([1, 2, 3, 4, 5])).hex() == written
    assert pack.compress(b"") + pack.flush() == b""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_cut_short_is_not_finished(encoding: str) -> None:
    unpack = decoder(encoding)
    unpacked(unpack, packed(encoding, [b"tea" * 100])[:-3])
    assert not unpack.finished


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_that_is_something_else_is_refused(encoding: str) -> None:
    unpack = decoder(encoding)
    with pytest.raises(EngineError) as excinfo:
        unpacked(unpack, b"SELECT 1, this is plain text and nothing else" * 10)
    assert excinfo.value.code == 271


@pytest.mark.parametrize("encoding", ENCODINGS[:3])
def test_several_frames_make_one_body(encoding: str) -> None:
    unpack = decoder(encoding)
    frames = packed(encoding, [b"tea "]) + packed(encoding, [b"leaves"])
    assert unpacked(unpack, frames) == b"tea leaves"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_bomb_comes_in_bounded_pieces_and_all_of_them(encoding: str) -> None:
    size = 5 * LARGEST_PIECE + 17
    pieces = [len(piece) for piece in decoder(encoding).decode(packed(encoding, [bytes(size)]))]
    assert max(pieces) <= 2 * LARGEST_PIECE
    assert sum(pieces) == size


def test_the_first_encoding_known_is_chosen() -> None:
    assert encoder("snappy, gzip;q=0, zstd;q=0.5, lz4")[0] == "zstd"
    for unknown in ("identity", ""):
        encoding, plain = encoder(unknown)
        assert (encoding, plain.compress(b"tea") + plain.flush()) == (None, b"tea")


def test_an_unknown_encoding_names_the_known_ones() -> None:
    with pytest.raises(EngineError, match="lz4, zstd"):
        decoder("snappy")
