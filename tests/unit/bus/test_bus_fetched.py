"""Batches as a broker hands them over, odd ones among them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from gyre_common.bus import fetched
from gyre_common.bus.decoding import undecoded
from gyre_common.bus.fetched import LARGEST_BATCH, FetchedRecords
from gyre_common.bus.record import Unreadable, UnreadValue, sha256
from gyre_common.errors import Poison

from tests.batches import CODECS, Headers, a_batch, with_body

PLACE = TopicPartition("t", 0)
ROOT = Path(__file__).parents[3]
HOLDS = """
import re
from pathlib import Path
from tests.batches import a_bomb
from tests.unit.bus.test_bus_fetched import read
bomb = a_bomb(8 * 32 * 1024 * 1024)
def peak():
    return int(re.search("VmHWM: *\\t* *([0-9]+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
(record,) = read(bomb)
print(peak() - before)
"""


def read(data: bytes, start: int = 0) -> list[ConsumerRecord]:
    """As the fetcher does it."""
    records = fetcher.PartitionRecords(
        PLACE, FetchedRecords(data), [], start, None, None, True, fetcher.READ_COMMITTED
    )
    return list(records)


def offsets(records: Sequence[ConsumerRecord]) -> list[int]:
    return [record.offset for record in records]


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf_8_is_read_with_its_bytes_spelt_out(codec: str) -> None:
    good: Headers = [("näme", b"\xff"), ("none", None)]
    batch = a_batch(
        (b"a", b"1", good),
        (b"b", b"2", [("~", b"\xfe"), ("a~b", None), ("good", b"")]),
        (None, None, good),
        codec=codec,
        base=7,
    )
    first, second, third = read(batch, start=7)
    assert (second.offset, second.key, second.value) == (8, b"b", b"2")
    assert second.headers == (("\\xff", b"\xfe"), ("a\\xffb", None), ("good", b""))
    assert first.headers == third.headers == tuple(good)
    assert (third.offset, third.key, third.value) == (9, None, None)
    assert [r.timestamp - first.timestamp for r in (first, second, third)] == [0, 1, 2]


def test_reading_begins_in_the_midst_of_a_batch_with_such_a_name() -> None:
    odd: Headers = [("~", b"")]
    batch = a_batch(*[(b"k", b"v", odd)] * 5, base=10)
    assert offsets(read(batch, start=12)) == [12, 13, 14]


def test_batches_follow_each_other_and_one_that_was_cut_off_waits() -> None:
    one, two = a_batch((b"k", b"v", [])), a_batch((b"k", b"w", []), base=1)
    assert offsets(read(one + two)) == [0, 1]
    for cut in (1, 11, 30, len(two) - 1):
        assert offsets(read(one + two[:cut])) == [0]
    assert read(b"") == []


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_is_read_as_far_as_it_may_be_decompressed(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched, "LARGEST_BATCH", 1_000_000)
    bomb = bytes(300_000)
    batch = a_batch(*[(b"k", bomb, [])] * 5, base=10, codec=codec)
    *whole, rest = read(batch, start=11)
    assert [(record.offset, record.value) for record in whole] == [(11, bomb), (12, bomb)]
    assert (rest.offset, rest.key) == (14, None)
    assert isinstance(rest.value, UnreadValue)
    assert "offsets 13 to 14 are not read" in rest.value.reason
    assert (rest.value.size, rest.value.digest) == (len(batch), sha256(batch))


@pytest.mark.parametrize("codec", ["none", "lz4"])
def test_a_damaged_batch_is_one_record_in_place_of_all(codec: str) -> None:
    batch = bytearray(a_batch(*[(b"k", b"value" * 9, [])] * 3, base=10, codec=codec))
    batch[-5] ^= 1
    (record,) = read(bytes(batch) + a_batch((b"k", b"v", []), base=13), start=11)[:1]
    assert record.offset == 12
    assert isinstance(record.value, UnreadValue)
    assert record.value.damaged
    assert record.value.first == 10
    assert "its checksum is wrong" in record.value.reason
    assert "offsets 10 to 12 are not read" in record.value.reason


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_what_a_codec_cannot_read_is_as_its_producer_made_it_and_can_be_parked(codec: str) -> None:
    plain = a_batch((b"k", b"v" * 100, []))
    batch = with_body(plain, plain[61:], base=3, codec=codec)
    (record,) = read(batch, start=3)
    assert isinstance(record.value, UnreadValue)
    assert (record.offset, record.value.damaged) == (3, False)
    assert (record.value.size, record.value.digest) == (len(batch), sha256(batch))
    with pytest.raises(Poison, match=r"cannot be read: .*; offset 3 is not read") as error:
        undecoded(record)
    assert not isinstance(error.value, Unreadable)


def test_many_batches_that_hold_much_are_read_over_several_fetches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetched, "_AT_ONCE", 500_000)
    data = b"".join(
        a_batch((b"k", bytes(300_000), []), base=base, codec="zstd") for base in range(5)
    )
    assert offsets(read(data)) == [0, 1]


def test_a_small_batch_that_stands_for_a_large_one_costs_no_more_than_its_limit() -> None:
    """In a process of its own, so that what was held before does not hide what this holds."""
    completed = subprocess.run(
        [sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True, cwd=ROOT
    )
    kilobytes = int(completed.stdout)
    assert LARGEST_BATCH / 4 < 1024 * kilobytes < 4 * LARGEST_BATCH


def test_every_consumer_of_the_process_reads_its_batches_so() -> None:
    import gyre_common.bus  # noqa: F401

    assert fetcher.MemoryRecords is FetchedRecords
