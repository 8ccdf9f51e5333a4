"""A record whose value was left in Kafka is gone only if Kafka says so."""

from collections.abc import Sequence

import pytest
from gyre_common.bus import RawRecord, rereading
from gyre_common.bus.record import LeftValue, RecordGone, UnreadValue
from gyre_common.bus.rereading import Rereader
from gyre_common.errors import Retryable

from tests.fakes.bus import StoredRecord


def a_record(offset: int, value: bytes = b"v") -> StoredRecord:
    return StoredRecord("t", 0, offset, 0, b"k", value)


def an_unread_record(first: int, last: int, *, damaged: bool = True) -> StoredRecord:
    return a_record(last, UnreadValue("cannot be read", first=first, batch=b"", damaged=damaged))


class Answers:
    """What Kafka answers, one fetch after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Sequence[RawRecord]) -> None:
        self._answers = list(answers)
        monkeypatch.setattr(rereading, "_records", self._next)

    async def _next(self, *_: object) -> Sequence[RawRecord]:
        return self._answers.pop(0)


@pytest.mark.parametrize("offset", [3, 5, 7])
async def test_a_record_in_a_batch_that_comes_damaged_is_read_again(
    monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    Answers(monkeypatch, [an_unread_record(3, 7)], [a_record(offset, b"whole")])
    rereader = Rereader("nowhere:1")
    with pytest.raises(Retryable, match=f"at offset {offset}: cannot be read"):
        await rereader.read(a_record(offset, LeftValue()))
    assert (await rereader.read(a_record(offset, LeftValue()))).value == b"whole"


async def test_what_came_damaged_behind_another_record_is_fetched_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Answers(monkeypatch, [a_record(2), an_unread_record(3, 7)], [a_record(7, b"whole")])
    rereader = Rereader("nowhere:1")
    assert (await rereader.read(a_record(2, LeftValue()))).value == b"v"
    assert (await rereader.read(a_record(7, LeftValue()))).value == b"whole"


@pytest.mark.parametrize("answer", [[], [a_record(6)], [an_unread_record(6, 9)]])
async def test_a_record_that_is_no_more_there_is_gone(
    monkeypatch: pytest.MonkeyPatch, answer: Sequence[RawRecord]
) -> None:
    Answers(monkeypatch, answer)
    with pytest.raises(RecordGone, match="no offset 5"):
        await Rereader("nowhere:1").read(a_record(5, LeftValue()))
