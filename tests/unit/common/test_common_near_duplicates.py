"""Texts that say nearly the same, and those that only look so."""

import base64

import pytest
from gyre_common.near_duplicates import Wording, estimated_similarity, word_triples

HANDBOOK = (
    "Whoever is ill calls the office before the day begins. A doctor's note is needed from the "
    "third day on. Holidays are asked for in the calendar, and the head of the team agrees to them "
    "within a week. Whoever works at home tells the others in the morning."
)
SENTENCE = "Keys of the building are given out by the porter and come back to him."


def is_near(one: str, other: str, least: float = 0.6) -> bool:
    near = Wording(one).is_near(Wording(other), least)
    assert near == Wording(other).is_near(Wording(one), least)
    return near


@pytest.mark.parametrize(
    "other",
    [
        f"{HANDBOOK} {SENTENCE}",
        HANDBOOK.replace("in the calendar", "by mail to the office"),
        HANDBOOK.upper(),
        " ".join(reversed(HANDBOOK.split(". "))),
    ],
    ids=["a sentence more", "another word", "capitals", "another order"],
)
def test_versions_of_a_text_are_near(other: str) -> None:
    assert is_near(HANDBOOK, other)
    assert not is_near(HANDBOOK, f"{SENTENCE} {SENTENCE.replace('porter', 'caretaker')}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The price of the room is 5 euros a day.", "The price of the room is 7 euros a day."),
        ("Rooms in Bern cost 5 and in Chur 7 euros.", "Rooms in Chur cost 5 and in Bern 7 euros."),
        ("It takes two weeks.", "It takes three weeks."),
        ("Ask Anna for keys.", "Ask Ben for keys."),
        ("It came with v1.30 of it.", "It came with v1.31 of it."),
        ("\n- Anna has the keys.", "\n- Ben has the keys."),
        ("A Pod, or pod, is run.", "A Job, or pod, is run."),
    ],
    ids=["numbers", "numbers elsewhere", "number words", "names", "releases", "lines", "capitals"],
)
def test_what_tells_of_something_else_is_not_near_however_alike(one: str, other: str) -> None:
    assert not is_near(f"{HANDBOOK} {one}", f"{HANDBOOK} {other}", least=0.1)


def test_the_first_words_of_sentences_are_no_names() -> None:
    assert is_near(f"{HANDBOOK} Everybody signs.", f"{HANDBOOK} All of them sign.")
    assert is_near(f"However, {HANDBOOK}", f"So {HANDBOOK} It was however always so.")


def test_the_bound_counts_shared_word_triples() -> None:
    one, other = Wording("a b c d e"), Wording("b c d e f")
    assert one.similarity(other) == pytest.approx(2 / 4)
    assert one.is_near(other, 0.5)
    assert not one.is_near(other, 0.51)


def test_texts_without_words_are_near_nothing() -> None:
    assert not is_near("…", "!")
    assert not is_near("", HANDBOOK)
    assert is_near("Tea.", "tea")


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    assert is_near(
        "緑茶は八十度で入れます。急須を温めてください。", "緑茶は八十度で入れます。急須を温めてね。"
    )


def test_fewer_than_three_words_stand_together_as_they_are() -> None:
    assert list(word_triples(["a", "b"])) == [("a", "b")]
    assert list(word_triples(["a", "b", "c", "d"])) == [("a", "b", "c"), ("b", "c", "d")]
    assert list(word_triples([])) == []


def test_sketches_that_agree_by_chance_only_are_not_alike() -> None:
    def sketch(*numbers: int) -> str:
        return base64.b64encode(bytes(numbers)).decode()

    assert estimated_similarity(sketch(1, 2, 3, 4), sketch(1, 2, 3, 4)) == 1
    assert estimated_similarity(sketch(1, 2, 3, 4), sketch(1, 2, 3, 5)) == pytest.approx(
        (3 / 4 - 1 / 256) / (255 / 256)
    )
    assert estimated_similarity(sketch(1, 2), sketch(3, 4)) == 0
    assert estimated_similarity("", sketch(3, 4)) == 0
    assert estimated_similarity("", "") == 0
