"""What every log of dead letters promises: one suite for the real one and the one in memory."""

from gyre_telemetry.dead_letter_book import DeadLetterLog

Headers = list[tuple[str, bytes]]
HEADERS: Headers = [("odd", b"\xff"), ("odd", b"2")]


class DeadLetterLogContract:
    """Inherit it beside the fixtures `log` and `topic`, the name of a topic with several partitions
    and dead letters that nobody else uses.
    """

    async def test_what_is_put_is_read_in_order_between_two_offsets(
        self, log: DeadLetterLog, topic: str
    ) -> None:
        letters = f"{topic}.dlq"
        assert await log.bounds(letters) == (0, 0)
        for number in range(7):
            await log.put(letters, b"k\xff", str(number).encode(), HEADERS)
        assert await log.bounds(letters) == (0, 7)
        records = [raw async for some in log.read(letters, 2, 6) for raw in some]
        assert [raw.value for raw in records] == [b"2", b"3", b"4", b"5"]
        assert {(raw.topic, raw.partition, raw.key) for raw in records} == {(letters, 0, b"k\xff")}
        assert [list(raw.headers) for raw in records] == [HEADERS] * 4
        assert [raw async for some in log.read(letters, 7, 7) for raw in some] == []
        side_by_side = [raw async for some in log.read_all({letters: (2, 6)}) for raw in some]
        assert [raw.value for raw in side_by_side] == [b"2", b"3", b"4", b"5"]
        bounds = await log.all_bounds()
        assert bounds[letters] == (0, 7)
        assert topic not in bounds

    async def test_a_partition_can_be_chosen_and_else_the_key_chooses_the_same(
        self, log: DeadLetterLog, topic: str
    ) -> None:
        await log.put(topic, b"k", b"1", [], partition=3)
        (record,) = [raw async for some in log.read(topic, 0, 1, partition=3) for raw in some]
        assert (record.partition, record.offset, record.value) == (3, 0, b"1")
        ends = [(await log.bounds(topic, number))[1] for number in range(4)]
        assert ends == [0, 0, 0, 1]
        for _ in range(2):
            await log.put(topic, b"k", None, [])
        more = [(await log.bounds(topic, number))[1] for number in range(4)]
        assert sorted(new - old for new, old in zip(more, ends, strict=True)) == [0, 0, 0, 2]
