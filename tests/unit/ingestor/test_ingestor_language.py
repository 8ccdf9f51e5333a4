"""A document's language is told from its words, unless its producer says it."""

import pytest
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    RejectionCode,
)
from gyre_common.languages import ANALYZERS, languages_by_analyzer, primary_language
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.language import language_of

from tests.builders import a_document_submitted

from .conftest import World

GERMAN = "Die alten Häuser am Fluss wurden im vergangenen Sommer verkauft."


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Green tea is steeped at eighty degrees for two minutes.", "en"),
        (GERMAN, "de"),
        ("- Die Türe schließt nicht\n- Das Fenster ist zerbrochen", "de"),
        ("Les maisons au bord du fleuve ont été vendues cet été.", "fr"),
        ("川沿いの古い家は去年の夏に売られました。", "ja"),
        ("河边的老房子去年夏天卖掉了。", "zh"),
        ("강가의 오래된 집들은 지난여름에 팔렸습니다.", "ko"),
        ("DIE ALTEN HÄUSER AM FLUSS WURDEN VERKAUFT", "de"),
    ],
)
def test_the_language_is_told_from_the_words(text: str, language: str) -> None:
    assert language_of(FORMATS["text/markdown"].parse(text.encode(), None)) == language


@pytest.mark.parametrize(
    "text",
    ["x-17, x-18, x-19", "| a | b |\n|---|---|\n| 1 | 2 |", "7"],
)
def test_what_has_no_language_gets_none(text: str) -> None:
    assert language_of(FORMATS["text/markdown"].parse(text.encode(), None)) == "und"


def test_code_says_nothing_of_the_language() -> None:
    code = "```python\n" + "for value in values:\n    print(value)\n" * 50 + "```"
    assert language_of(FORMATS["text/markdown"].parse(code.encode(), None)) == "und"
    both = f"{GERMAN}\n\n{code}"
    assert language_of(FORMATS["text/markdown"].parse(both.encode(), None)) == "de"


def test_a_long_document_is_judged_by_all_of_it() -> None:
    """Not by its first pages, which may be a summary in English."""
    summary = "This is a short summary of the report in English.\n\n" * 200
    text = summary + f"{GERMAN}\n\n" * 1000
    assert language_of(FORMATS["text/markdown"].parse(text.encode(), None)) == "de"


async def test_a_document_says_its_language_once_it_is_read(world: World) -> None:
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(text=GERMAN))
    assert [event.language for event in world.events(DOCUMENT_ACCEPTED)] == [""]
    assert [event.language for event in world.events(DOCUMENT_CHUNKED)] == ["de"]


async def test_a_producers_word_counts(world: World) -> None:
    await world.bus.deliver(
        DOCUMENT_SUBMITTED, a_document_submitted(text="Haus 7", language="de-AT")
    )
    assert [event.language for event in world.events(DOCUMENT_CHUNKED)] == ["de"]


async def test_a_language_that_is_none_is_rejected_with_the_fix(world: World) -> None:
    await world.bus.deliver(
        DOCUMENT_SUBMITTED, a_document_submitted(text=GERMAN, language="German, mostly")
    )
    [rejected] = world.events(DOCUMENT_REJECTED)
    assert rejected.code is RejectionCode.BAD_LANGUAGE
    assert rejected.detail.startswith("language is no language tag of BCP 47: send one such as de")


@pytest.mark.parametrize(
    ("tag", "language"),
    [("de", "de"), ("pt-BR", "pt"), ("zh_Hant_TW", "zh"), ("EN", "en"), ("und", "und")],
)
def test_a_tag_is_its_language(tag: str, language: str) -> None:
    assert primary_language(tag) == language


@pytest.mark.parametrize("tag", ["", "x-klingon", "german", "d", "de-", "de-" + "a" * 9, "de\n"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="no language tag"):
        primary_language(tag)


def test_every_analyzer_reads_its_languages() -> None:
    assert languages_by_analyzer()["cjk"] == ["ja", "ko", "zh"]
    assert set(languages_by_analyzer()) == set(ANALYZERS.values())
