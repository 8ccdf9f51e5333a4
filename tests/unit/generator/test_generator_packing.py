"""Passages go in whole, best first, once, neighbours side by side."""

from typing import Any

from gyre_generator.steps.pack import pack_passages

TEXT = "word " * 80  # 100 tokens and the overhead


def test_the_best_passages_fit_and_the_rest_stay_out(passage: Any) -> None:
    passages = [passage(f"{n} {TEXT}", rank=n, document=f"{n}") for n in (3, 1, 2)]

    assert [p.rank for p in pack_passages(passages, budget=240)] == [1, 2]


def test_a_passage_that_does_not_fit_makes_room_for_a_smaller_one(passage: Any) -> None:
    passages = [passage(TEXT * 10, rank=1), passage("Short.", rank=2, document="b")]

    assert [p.rank for p in pack_passages(passages, budget=100)] == [2]


def test_what_says_the_same_again_is_left_out(passage: Any) -> None:
    passages = [
        passage("Tea is hot. Tea is green.", rank=1, document="a"),
        passage("tea is  HOT.", rank=2, document="b"),
        passage("Tea is hot. Tea is green.", rank=3, document="a"),
    ]

    assert [p.rank for p in pack_passages(passages, budget=1000)] == [1]


def test_touching_pieces_of_a_document_stand_in_reading_order(passage: Any) -> None:
    passages = [
        passage("third piece", rank=1, ordinal=3),
        passage("other document", rank=2, document="b"),
        passage("first piece", rank=3, ordinal=1),
        passage("second piece", rank=4, ordinal=2),
    ]

    texts = [p.text for p in pack_passages(passages, budget=1000)]

    assert texts == ["first piece", "second piece", "third piece", "other document"]


def test_what_is_only_shown_to_explore_is_not_read(passage: Any) -> None:
    live, explored = passage("one"), passage("two", rank=2, explored=True)
    assert pack_passages([live, explored], budget=1000) == (live,)


def test_blank_passages_are_nothing_to_read(passage: Any) -> None:
    assert pack_passages([passage(" \n ")], budget=100) == ()
