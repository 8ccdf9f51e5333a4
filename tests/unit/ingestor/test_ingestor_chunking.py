"""Passages fit the encoder, follow the document's structure and keep their ids."""

import itertools
import random

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.documents import Chunk
from gyre_common.passages import encoder_input
from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.tokens import SPECIAL_TOKENS, token_count
from hypothesis import given, settings
from hypothesis import strategies as st

SENTENCE = "Green tea is steeped at eighty degrees for two minutes. "


def chunks(source: str, **changes: object) -> tuple[Chunk, ...]:
    document = FORMATS["text/markdown"].parse(source.encode(), None)
    names = {"tenant": "default", "document_id": "tea.md", "title": document.title, **changes}
    return chunk(document, recipe=ChunkRecipe(), **names)  # type: ignore[arg-type]


def window(one: Chunk, title: str = "") -> int:
    return token_count(encoder_input(title, one.heading_path, one.text)) + SPECIAL_TOKENS


def some_document(seed: int) -> str:
    rng = random.Random(seed)
    words = [
        "tea",
        "water,",
        "degrees.",
        "kettle;",
        "`code`",
        "[link](http://x)",
        "don't",
        "über",
        "漢字",
        "x_y",
        "e.g.",
        "3.14",
    ]
    parts = []
    for _ in range(rng.randint(1, 30)):
        text = " ".join(rng.choices(words, k=rng.choice([1, 5, 40, 400])))
        parts.append(
            rng.choice(
                [
                    f"{'#' * rng.randint(1, 4)} {text[:60]}",
                    text,
                    f"- {text}",
                    f"```\n{text}\n```",
                    "\n".join(["| a | b |", "|--|--|", *[f"| {text[:40]} | 2 |"] * 30]),
                    "x" * rng.choice([90, 5_000]),
                ]
            )
        )
    return "\n\n".join(parts)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_passage_fits_the_window_and_none_overlap_or_lose_text(seed: int) -> None:
    document = FORMATS["text/markdown"].parse(some_document(seed).encode(), None)
    title = "A title of some length " * (seed % 3)
    cut = chunk(document, "default", "d", title, ChunkRecipe())
    for one in cut:
        assert document.text[one.start : one.end] == one.text
        assert window(one, title) <= 256
    for one, following in itertools.pairwise(cut):
        assert one.end <= following.start
    assert [one.ordinal for one in cut] == list(range(len(cut)))
    assert len({one.chunk_id for one in cut}) == len(cut)
    covered_offsets = {at for one in cut for at in range(one.start, one.end)}
    for section in document.sections:
        for block in section.blocks:
            for at in range(block.start, block.end):
                assert at in covered_offsets or document.text[at].isspace()


def test_a_short_document_is_one_passage() -> None:
    (one,) = chunks("# Tea\n\nHot water.\n\n- a\n- b")
    assert one.heading_path == ("Tea",)
    assert one.text == "Hot water.\n\n- a\n- b"


def test_sections_with_enough_text_are_passages_of_their_own() -> None:
    paths = [c.heading_path for c in chunks(f"# A\n\n{SENTENCE * 6}\n\n## B\n\n{SENTENCE * 6}")]
    assert paths == [("A",), ("A", "B")]


def test_a_tiny_section_joins_its_neighbour_and_brings_its_heading() -> None:
    (one,) = chunks(f"# A\n\n## B\n\n{SENTENCE * 6}\n\n## C\n\nTiny.")
    assert one.heading_path == ("A",)
    assert one.text.startswith("## B\n\n")
    assert one.text.endswith("## C\n\nTiny.")


def test_a_long_paragraph_is_cut_between_sentences_into_equal_parts() -> None:
    cut = chunks(SENTENCE * 40)
    assert all(one.text.endswith("minutes.") for one in cut)
    sizes = [token_count(one.text) for one in cut]
    assert max(sizes) - min(sizes) <= token_count(SENTENCE)


def test_code_that_fits_is_never_cut() -> None:
    code = "\n".join(f"line_{n} = {n}" for n in range(25))
    cut = chunks(f"{SENTENCE * 10}\n\n```\n{code}\n```\n\n{SENTENCE * 10}")
    assert sum(code in one.text for one in cut) == 1


def test_long_code_is_cut_between_lines() -> None:
    cut = chunks("```\n" + "\n".join(f"line_{n} = {n}" for n in range(200)) + "\n```")
    assert len(cut) > 1
    assert all(one.text.startswith(("line_", "```")) for one in cut)


def test_a_line_that_announces_code_stays_with_it() -> None:
    cut = chunks(
        f"{SENTENCE * 18}\n\nRun this command:\n\n```\nkettle --boil\n```\n\n{SENTENCE * 9}"
    )
    assert any("Run this command:\n\n```\nkettle" in one.text for one in cut)


def test_an_endless_word_does_not_make_an_endless_passage() -> None:
    assert max(len(one.text) for one in chunks("a" * 100_000)) <= 256 * 16


def test_an_unchanged_passage_keeps_its_id_when_others_change() -> None:
    before = chunks(f"# T\n\n{SENTENCE * 6}\n\n## A\n\n{SENTENCE * 5}\n\n## B\n\n{SENTENCE * 7}")
    after = chunks(
        f"# T\n\nNew. {SENTENCE * 6}\n\n## A\n\n{SENTENCE * 5}\n\n## B\n\n{SENTENCE * 7}"
    )
    assert before[0].chunk_id != after[0].chunk_id
    assert [c.chunk_id for c in before[1:]] == [c.chunk_id for c in after[1:]]


def test_the_same_passage_twice_has_two_ids() -> None:
    section = f"## Same\n\n{SENTENCE * 6}\n\n"
    cut = chunks(f"# T\n\n{section}{section}")
    assert cut[0].text == cut[1].text
    assert cut[0].chunk_id != cut[1].chunk_id


@pytest.mark.parametrize(
    "other", [{"tenant": "acme"}, {"document_id": "coffee.md"}, {"title": "Another"}]
)
def test_ids_tell_documents_tenants_and_titles_apart(other: dict[str, str]) -> None:
    assert chunks("Hot.")[0].chunk_id != chunks("Hot.", **other)[0].chunk_id


def test_a_recipe_comes_from_the_releases_settings() -> None:
    recipe = ChunkRecipe.from_settings({"max_tokens": "512", "else": "x"})
    assert (recipe.max_tokens, recipe.min_tokens) == (512, 48)


@pytest.mark.parametrize(
    "broken",
    [
        {"max_tokens": "many"},
        {"max_tokens": "8"},
        {"max_tokens": "64"},
        {"min_tokens": "200"},
        {"tokenizer": "x"},
    ],
)
def test_a_recipe_that_cannot_work_is_refused(broken: dict[str, str]) -> None:
    with pytest.raises(FailedPrecondition, match=r"max_tokens|min_tokens|tokenizer"):
        ChunkRecipe.from_settings(broken)
