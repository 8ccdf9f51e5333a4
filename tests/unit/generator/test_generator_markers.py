"""Markers leave the text and become claims, however the text was cut."""

from itertools import pairwise

import pytest
from gyre_generator.backends.markers import MarkerReader
from hypothesis import given
from hypothesis import strategies as st


def read(*pieces: str) -> tuple[str, list[tuple[str, int]]]:
    reader = MarkerReader()
    text = "".join(reader.feed(piece) for piece in pieces) + reader.feed("", final=True)
    assert text == reader.text
    return text, [(text[c.start : c.end], c.number) for c in reader.claims()]


def test_a_marker_supports_the_sentence_it_ends() -> None:
    text, claims = read("Tea is hot [1]. Coffee is black.[2, 3] Milk is white. [4]")

    assert text == "Tea is hot. Coffee is black. Milk is white."
    assert claims == [
        ("Tea is hot.", 1),
        ("Coffee is black.", 2),
        ("Coffee is black.", 3),
        ("Milk is white.", 4),
    ]


@pytest.mark.parametrize("text", ["Tea [1", "Tea [", "Tea [a] b", "x = [1, two]", "Tea [12345]"])
def test_what_only_looks_like_a_marker_stays(text: str) -> None:
    assert read(text)[0] == text


def test_code_keeps_its_brackets() -> None:
    text, claims = read("Use `items[0]` here [2].\n```\na[1] = b[2]\n```")

    assert text == "Use `items[0]` here.\n```\na[1] = b[2]\n```"
    assert claims == [("Use `items[0]` here.", 2)]


@given(st.lists(st.integers(0, 60), max_size=12))
def test_where_the_text_is_cut_makes_no_difference(cuts: list[int]) -> None:
    text = "Tea is hot [1][2]. Use `a[3]` or b [4, 5] [ 6 . End [7]"
    edges = [0, *sorted(min(c, len(text)) for c in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]

    assert read(*pieces) == read(text)
