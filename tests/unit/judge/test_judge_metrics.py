"""The baseline finds invented sentences, wrong numbers and turned meanings, and says which."""

from collections.abc import Sequence

import pytest
from gyre_common.events.interactions import Score
from gyre_common.turns import finished
from gyre_judge.metrics import (
    WeightedPassages,
    answer_relevance,
    context_precision,
    groundedness,
    substance,
)

TEA = "Green tea is steeped for two minutes in water of 80 degrees. It should not boil."
COFFEE = "Coffee was first drunk in Yemen in 1450. Beans are roasted."


def passages_of(texts: list[str], headings: Sequence[str] = ()) -> WeightedPassages:
    return finished(WeightedPassages.read(texts, headings))


def groundedness_of(answer: str, passages: WeightedPassages) -> Score:
    return finished(groundedness(answer, passages))


def substance_of(answer: str, passages: WeightedPassages) -> Score:
    return finished(substance(answer, passages))


def test_a_quoted_sentence_is_grounded() -> None:
    score = groundedness_of("Green tea is steeped for two minutes.", passages_of([COFFEE, TEA]))

    assert score.value == 1.0
    assert score.rationale == "1 of 1 sentences supported"


def test_an_invented_sentence_is_named() -> None:
    answer = "Green tea is steeped for two minutes. It cures every known disease."

    score = groundedness_of(answer, passages_of([TEA]))

    assert score.value == 0.5
    assert 'not: "It cures every known disease."' in score.rationale


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Green tea is steeped for two minutes in water of 95 degrees.", "does not name 95"),
        ("Green tea is not steeped for two minutes in water of 80 degrees.", "the opposite"),
        ("Green tea isn't steeped for two minutes in water of 80 degrees.", "the opposite"),
        ("Green tea is steeped in Yemen with roasted beans.", "in one passage, without"),
    ],
)
def test_a_changed_sentence_is_not_grounded(answer: str, reason: str) -> None:
    score = groundedness_of(answer, passages_of([TEA, COFFEE]))

    assert score.value == 0.0
    assert reason in score.rationale


def test_a_number_in_words_is_the_same_number() -> None:
    assert groundedness_of("Green tea is steeped for 2 minutes.", passages_of([TEA])).value == 1.0


def test_a_heading_supports_too() -> None:
    passages = passages_of(["Steep it for two minutes."], ["Tea > Green tea"])

    assert groundedness_of("Steep green tea for two minutes.", passages).value == 1.0


@pytest.mark.parametrize("answer", ["", " ", "…", "# Heading"])
def test_where_nothing_is_said_groundedness_does_not_apply(answer: str) -> None:
    assert groundedness_of(answer, passages_of([TEA])).value is None


def test_without_passages_groundedness_does_not_apply() -> None:
    assert groundedness_of("Tea is hot.", passages_of([])).value is None


def test_relevance_tells_what_the_answer_leaves_out() -> None:
    score = answer_relevance("How hot is the water for green tea?", "Green tea is a drink.")

    assert score.value == pytest.approx(0.5)
    assert "hot, water" in score.rationale


@pytest.mark.parametrize(
    ("passages", "precision"),
    [
        ([TEA, COFFEE], 1.0),
        ([COFFEE, TEA], 0.5),
        ([COFFEE], 0.0),
        ([TEA, COFFEE, TEA], (1 + 2 / 3) / 2),
    ],
)
def test_context_precision_is_average_precision(passages: list[str], precision: float) -> None:
    score = context_precision("How long is green tea steeped?", passages_of(passages))

    assert score.value == pytest.approx(precision)


def test_metrics_that_do_not_apply_have_no_value() -> None:
    assert context_precision("tea?", passages_of([])).value is None
    assert context_precision("who is it?", passages_of([TEA])).value is None
    assert answer_relevance("why?", "Because.").value is None


def test_substance_counts_only_what_is_supported() -> None:
    passages = passages_of([TEA])
    grounded = "Green tea is steeped for two minutes."
    padded = grounded + " Dragons guard every teapot in seven magic kingdoms."

    assert substance_of(padded, passages).value == substance_of(grounded, passages).value
    unbound = passages_of([])
    longer, shorter = substance_of(padded, unbound).value, substance_of(grounded, unbound).value
    assert longer is not None
    assert shorter is not None
    assert longer > shorter


@pytest.mark.parametrize("text", ["\x00", "\ud800 tea", "tea " * 20_000, "```\n" * 50])
def test_odd_text_does_no_harm(text: str) -> None:
    for score in (groundedness_of(text, passages_of([text, TEA])), answer_relevance(text, text)):
        assert score.value is None or 0 <= score.value <= 1
