"""What exploration shows is as likely as it says."""

from collections import Counter
from random import Random
from uuid import UUID

import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.fusion import FUSED
from gyre_retriever.ranking import SAFE_SLOTS, RankedPassage, explore


def ranked(count: int) -> list[RankedPassage]:
    """Passages 0, 1, 2 … with falling scores."""
    return [
        RankedPassage(
            IndexedChunk(
                tenant="default",
                document_id=str(number),
                chunk_id=UUID(int=number),
                revision=1,
                ordinal=0,
                text=f"passage {number}",
                start=0,
                end=9,
            ),
            {FUSED: 1 / (number + 1)},
        )
        for number in range(count)
    ]


def numbers(ranking: list[RankedPassage]) -> list[int]:
    return [each.chunk.chunk_id.int for each in ranking]


@pytest.mark.parametrize(
    ("count", "limit", "share"),
    [(30, 10, 0.0), (10, 10, 0.5), (4, 10, 0.5), (30, 2, 0.5), (30, 1, 0.5), (0, 10, 0.5)],
    ids=["no share", "nothing behind", "few", "only safe slots", "one slot", "nothing"],
)
def test_without_room_to_explore_live_is_shown_as_it_is(
    count: int, limit: int, share: float
) -> None:
    assert explore(ranked(count), limit, share, Random(1)) == ranked(count)[:limit]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_one_slot_at_most_and_never_one_of_the_first_two(share: float) -> None:
    passages, dice, live = ranked(30), Random(2), list(range(10))
    for _ in range(1000):
        ranking = explore(passages, 10, share, dice)
        changed = [slot for slot, number in enumerate(numbers(ranking)) if number != live[slot]]
        assert changed == [slot for slot, each in enumerate(ranking) if each.explored]
        assert len(changed) <= 1
        assert all(slot >= SAFE_SLOTS for slot in changed)
        assert len(set(numbers(ranking))) == 10


@pytest.mark.parametrize(("limit", "share"), [(10, 0.05), (10, 0.5), (3, 0.5), (6, 0.2)])
def test_every_passage_is_shown_as_often_as_its_propensity_says(limit: int, share: float) -> None:
    passages, dice, rounds = ranked(16), Random(3), 4_000
    often: Counter[int] = Counter()
    propensities: dict[int, float] = {}
    for _ in range(rounds):
        for each in explore(passages, limit, share, dice):
            number = each.chunk.chunk_id.int
            often[number] += 1
            assert propensities.setdefault(number, each.propensity) == each.propensity
    assert sum(propensities.values()) == pytest.approx(limit), "slots are conserved"
    for number in range(len(passages)):
        expected = propensities[number]
        error = (expected * (1 - expected) / rounds) ** 0.5
        assert often[number] / rounds == pytest.approx(expected, abs=5 * error + 1e-9)


def test_the_propensities_are_those_of_the_formula() -> None:
    dice = Random(4)
    tries = (explore(ranked(26), 10, 0.05, dice) for _ in range(100))
    ranking = next(ranking for ranking in tries if any(each.explored for each in ranking))
    slots, behind = 8, 16
    for slot, each in enumerate(ranking):
        expected = 1.0 if slot < SAFE_SLOTS else 1 - 0.05
        if each.explored:
            expected = slots * 0.05 / behind
        assert each.propensity == pytest.approx(expected)


def test_weighing_by_propensity_counts_what_was_not_shown_without_bias() -> None:
    """Relevant passages estimated from what was shown, one over its propensity each."""
    passages, dice, relevant, rounds = ranked(16), Random(5), {1, 4, 12, 15}, 8_000
    total = 0.0
    for _ in range(rounds):
        for each in explore(passages, 10, 0.1, dice):
            if each.chunk.chunk_id.int in relevant:
                total += 1 / each.propensity
    assert total / rounds == pytest.approx(len(relevant), rel=0.05)
