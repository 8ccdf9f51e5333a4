"""Batches as a broker hands them over, odd ones among them."""

from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher
from gyre_common.bus.fetched import FetchedRecords

from tests.batches import CODECS, Headers, a_batch

PLACE = TopicPartition("t", 0)


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


def test_every_consumer_of_the_process_reads_its_batches_so() -> None:
    import gyre_common.bus  # noqa: F401

    assert fetcher.MemoryRecords is FetchedRecords
