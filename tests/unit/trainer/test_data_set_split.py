"""Near-identical questions, and documents kept for the judging, never stand on both sides."""

import random
from collections.abc import Sequence

import pytest
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.profiles import PROFILES
from gyre_trainer.data_sets.split import Place, QuestionOccurrence, clusters, split
from hypothesis import given, settings
from hypothesis import strategies as st

DEFAULT, DEMO = PROFILES["default"], PROFILES["demo"]


def same(one: str, other: str) -> bool:
    names = clusters([one, other, "something else entirely"])
    assert names[2] not in names[:2]
    return names[0] == names[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How hot should the water for green tea be?", "how hot should  water for green TEA be"),
        ("Who is it?", "who is IT?"),
        (
            "which pressure does the boiler of the second engine hold at night in winter",
            "which pressure does the boiler of the second engine hold at night in winter exactly",
        ),
    ],
)
def test_near_identical_questions_are_one(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How hot should the water for green tea be?", "How hot is water for black coffee?"),
        ("Who is it?", "What is it?"),
        ("What does table 3 hold?", "What does table 4 hold?"),
    ],
)
def test_other_questions_are_others(one: str, other: str) -> None:
    assert not same(one, other)


def test_clusters_do_not_depend_on_the_order() -> None:
    dice = random.Random(1)
    words = [f"word{n}" for n in range(14)]
    questions = [" ".join(dice.sample(words, 9)) for _ in range(40)]
    named = dict(zip(questions, clusters(questions), strict=True))
    dice.shuffle(questions)
    assert dict(zip(questions, clusters(questions), strict=True)) == named
    assert 1 < len(set(named.values())) < 40


OCCURRENCES = st.lists(
    st.builds(
        QuestionOccurrence,
        cluster=st.integers(0, 40).map(str),
        documents=st.frozensets(st.integers(0, 30).map(str), max_size=3),
    ),
    max_size=120,
)


@given(OCCURRENCES)
@settings(max_examples=150, deadline=None)
def test_no_cluster_and_no_held_out_document_is_on_two_sides(
    occurrences: list[QuestionOccurrence],
) -> None:
    places = split(occurrences, DEMO)
    of_cluster = {one.cluster: place.part for one, place in zip(occurrences, places, strict=True)}
    for one, place in zip(occurrences, places, strict=True):
        assert of_cluster[one.cluster] is place.part
        learned = liked(occurrences, places, learning_side(place.part))
        remain = one.documents - place.masked
        assert place.masked <= learned
        assert place.held_out == (
            place.part is not DataSetPart.FIT and bool(remain) and not remain & learned
        )
        assert remain or not one.documents


def learning_side(part: DataSetPart) -> set[DataSetPart]:
    return (
        {DataSetPart.FIT, DataSetPart.VALIDATION} if part is DataSetPart.GATE else {DataSetPart.FIT}
    )


def liked(
    occurrences: Sequence[QuestionOccurrence], places: Sequence[Place], parts: set[DataSetPart]
) -> set[str]:
    documents = (
        one.documents for one, p in zip(occurrences, places, strict=True) if p.part in parts
    )
    return set().union(*documents)


@given(OCCURRENCES, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_split_does_not_depend_on_the_order(
    occurrences: list[QuestionOccurrence], dice: random.Random
) -> None:
    places = dict(zip(occurrences, split(occurrences, DEMO), strict=True))
    dice.shuffle(occurrences)
    assert dict(zip(occurrences, split(occurrences, DEMO), strict=True)) == places


@pytest.mark.parametrize("documents", [1, 2, 4])
def test_both_slices_are_large_enough_to_tell_and_most_questions_train(documents: int) -> None:
    dice = random.Random(3)
    occurrences = [
        QuestionOccurrence(str(n), frozenset(str(dice.randrange(400)) for _ in range(documents)))
        for n in range(1_500)
    ]
    places = split(occurrences, DEFAULT)
    gate = [place for place in places if place.part is DataSetPart.GATE]
    held_out = sum(place.held_out for place in gate)
    assert held_out >= 2 * DEFAULT.slice_questions
    assert len(gate) - held_out >= 2 * DEFAULT.slice_questions
    fit = sum(place.part is DataSetPart.FIT for place in places)
    assert fit > 0.5 * len(occurrences)
    assert sum(place.part is DataSetPart.VALIDATION for place in places) > 0.05 * len(occurrences)


def test_a_cluster_that_likes_nothing_fits() -> None:
    assert split([QuestionOccurrence("a", frozenset())], DEMO) == [Place(DataSetPart.FIT)]
