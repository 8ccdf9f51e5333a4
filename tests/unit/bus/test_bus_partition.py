"""Order, watermark and gate of one partition."""

from itertools import pairwise
from random import Random

from gyre_common.bus.partition import Partition, Pending
from gyre_common.bus.tenant_turns import TenantTurns, take_more_of
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.bus import StoredRecord


def a_record(offset: int, key: str | None = None) -> StoredRecord:
    return StoredRecord("messages.sent.v1", 0, offset, 0, key and key.encode(), b"{}")  # type: ignore[arg-type]


def filled(*keys: str, first: int = 0) -> Partition:
    partition = Partition("messages.sent.v1", 0)
    for offset, key in enumerate(keys, start=first):
        partition.add(a_record(offset, key), key.encode(), 0.0)
    return partition


def take_pending(partition: Partition) -> Pending:
    pending = partition.take()
    assert pending is not None
    return pending


def test_nothing_is_committed_before_the_first_record_is_finished() -> None:
    partition = filled("a", "b")
    take_pending(partition)
    assert partition.watermark is None


def test_the_watermark_stands_before_the_oldest_unfinished_record() -> None:
    partition = filled("a", "b", "c", first=10)
    first, second, third = take_pending(partition), take_pending(partition), take_pending(partition)
    partition.finish(third)
    assert partition.watermark is None
    partition.finish(first)
    assert partition.watermark == 11
    partition.finish(second)
    assert partition.watermark == 13


def test_the_watermark_passes_offsets_that_hold_no_record() -> None:
    partition = Partition("messages.sent.v1", 0)
    for offset in (3, 7, 8, 20):
        partition.add(a_record(offset), None, 0.0)
    for _ in range(4):
        partition.finish(take_pending(partition))
    assert partition.watermark == 21


def test_what_was_read_and_holds_no_record_is_done_once_nothing_else_is_unfinished() -> None:
    partition = Partition("messages.sent.v1", 0)
    partition.passed(9)
    assert partition.watermark is None
    partition.resumed_at = 5
    partition.passed(5)
    assert partition.watermark is None
    partition.passed(6)
    assert partition.watermark == 6
    partition.add(a_record(7), None, 0.0)
    partition.passed(9)
    assert partition.watermark == 6
    partition.finish(take_pending(partition))
    partition.passed(9)
    assert partition.watermark == 9


def test_a_partition_moves_when_its_watermark_does_and_when_something_comes_to_it_at_rest() -> None:
    partition = Partition("messages.sent.v1", 0)
    for offset, arrived in enumerate((10.0, 11.0)):
        partition.add(a_record(offset), None, arrived)
    first, second = take_pending(partition), take_pending(partition)
    assert partition.moved_at == 10.0
    partition.finish(second, 20.0)
    assert partition.moved_at == 10.0
    partition.finish(first, 21.0)
    assert partition.moved_at == 21.0
    partition.add(a_record(2), None, 90.0)
    assert partition.moved_at == 90.0


def test_records_of_one_key_never_run_at_once() -> None:
    partition = filled("a", "a", "b")
    first, other = take_pending(partition), take_pending(partition)
    assert (first.raw.offset, other.raw.offset) == (0, 2)
    assert partition.take() is None
    partition.finish(first)
    assert take_pending(partition).raw.offset == 1


def test_a_record_that_was_read_before_is_not_taken_in_again() -> None:
    partition = filled("a", "b")
    assert not partition.add(a_record(1, "b"), b"b", 0.0)
    assert partition.unfinished == 2


def test_after_a_failure_one_record_goes_ahead_and_opens_the_gate() -> None:
    partition = filled("a", "b", "c")
    failed = take_pending(partition)
    partition.put_back(failed)
    assert partition.close()
    assert partition.take() is None
    partition.probe()
    assert take_pending(partition) is failed
    assert partition.take() is None
    partition.finish(failed)
    partition.open()
    assert take_pending(partition).raw.offset == 1


def test_giving_a_partition_up_keeps_only_what_would_leave_a_gap() -> None:
    partition = filled("a", "a", "b", "c")
    running, further = take_pending(partition), take_pending(partition)
    partition.finish(further)
    partition.drop_unstarted_tail()
    partition.finish(running)
    assert take_pending(partition).raw.offset == 1
    assert partition.take() is None


def test_giving_a_waiting_partition_up_drops_everything() -> None:
    partition = filled("a", "a", "b", "c")
    partition.put_back(take_pending(partition))
    partition.close()
    partition.drop_unstarted_tail()
    partition.probe()
    assert partition.take() is None


def shared(*tenants: str) -> Partition:
    partition = Partition("messages.sent.v1", 0)
    for offset, tenant in enumerate(tenants):
        partition.add(a_record(offset, f"{tenant}/{offset}"), None, 0.0, tenant.encode())
    return partition


def test_tenants_take_turns() -> None:
    partition = shared("a", "a", "a", "b", "b")
    assert [take_pending(partition).raw.offset for _ in range(3)] == [0, 3, 1]
    partition.add(a_record(9, "c/9"), None, 0.0, b"c")
    assert [take_pending(partition).raw.offset for _ in range(3)] == [4, 2, 9]
    assert partition.take() is None


def test_what_is_postponed_lets_others_of_its_tenant_go_first_in_every_partition() -> None:
    turns = TenantTurns()
    partitions = [shared("a"), shared("a", "a", "a")]
    started = []
    for _ in range(6):
        pending = turns.take(partitions)
        assert pending is not None
        is_large = pending.partition is partitions[0]
        started.append("large" if is_large else pending.raw.offset)
        if is_large:
            turns.postpone(pending)
            pending.partition.postpone(pending, 32, 7.0, drop=False)
        else:
            pending.partition.finish(pending)
    assert started == ["large", 0, "large", 1, "large", 2]
    assert take_more_of(b"a", [filled(), partitions[0]]) is not None
    assert (partitions[0].unfinished, partitions[0].watermark) == (1, None)
    assert partitions[0].moved_at == 7.0


def test_the_watermark_waits_for_what_others_have_overtaken() -> None:
    partition = shared("a", "a", "b")
    first, overtaking, second = (take_pending(partition) for _ in range(3))
    partition.finish(overtaking)
    assert partition.watermark is None
    partition.finish(first)
    assert partition.watermark == 1
    partition.finish(second)
    assert partition.watermark == 3


def test_giving_up_a_partition_finishes_no_backlog_that_somebody_has_overtaken() -> None:
    partition = shared(*["a"] * 200, "b")
    first, overtaking = take_pending(partition), take_pending(partition)
    assert overtaking.raw.offset == 200
    partition.drop_unstarted_tail()
    partition.finish(overtaking)
    partition.finish(first)
    assert partition.take() is None
    assert partition.startable() == 0


@given(
    keys=st.lists(st.sampled_from("abcde"), min_size=1, max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_finishes_when_no_key_is_reordered_and_no_offset_skipped(
    keys: list[str], seed: int
) -> None:
    random = Random(seed)
    partition = filled(*keys)
    running: list[Pending] = []
    finished: list[int] = []
    while len(finished) < len(keys):
        pending = partition.take() if random.random() < 0.6 else None
        if pending is not None:
            running.append(pending)
        elif running:
            done = running.pop(random.randrange(len(running)))
            if random.random() < 0.2:
                partition.put_back(done)
            else:
                partition.finish(done)
                finished.append(done.raw.offset)
        unfinished = set(range(len(keys))) - set(finished)
        assert (partition.watermark or 0) <= min(unfinished, default=len(keys))
    assert partition.watermark == len(keys)
    assert partition.unfinished == partition.unfinished_bytes == partition.running == 0
    for key in set(keys):
        of_key = [offset for offset in finished if keys[offset] == key]
        assert all(before < after for before, after in pairwise(of_key))
