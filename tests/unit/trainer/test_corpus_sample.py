"""Of a large corpus a run takes a bounded sample, with all that people judged in it."""

from uuid import UUID

import pytest
from gyre_common.chunk_index import VECTOR
from gyre_trainer.recipes.query_encoder.prepare import PassageSample


def sampled(*, count: int, required: range, most: int) -> list[int]:
    """The numbers of the passages that stay, of `count` in the order of their ids."""
    sample = PassageSample(most, frozenset(str(UUID(int=number)) for number in required))
    for number in range(count):
        sample.take({"chunk_id": str(UUID(int=number)), VECTOR: [1.0, 0.0]})
    return [UUID(row["chunk_id"]).int for row, _ in sample.passages()]


@pytest.mark.parametrize("required", [range(5), range(95, 100), range(60, 65)])
def test_judged_passages_take_the_place_of_others_whenever_they_come(required: range) -> None:
    numbers = sampled(count=100, required=required, most=20)
    assert len(numbers) == 20
    assert set(required) <= set(numbers)


def test_judged_passages_stay_even_where_they_are_too_many_and_nothing_else_does() -> None:
    assert sampled(count=100, required=range(40, 70), most=20) == list(range(40, 70))
