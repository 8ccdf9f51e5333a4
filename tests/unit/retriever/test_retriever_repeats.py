"""What is there several times is ranked once, and the newest that may be read is shown."""

from datetime import datetime, timedelta
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk
from gyre_retriever.ranking import RankedPassage
from gyre_retriever.repeats import without_repeats

from tests.builders import MORNING

TEXT = (
    "Whoever is ill calls the office before the day begins, and sends a note of the doctor later. "
    "Holidays are asked for in the calendar, and the head of the team agrees to them."
)
LONGER = f"{TEXT} Whoever works at home tells the others."


def ranked(
    number: int,
    text: str = TEXT,
    *,
    score: float | None = None,
    minutes: int | None = 0,
    title: str = "Handbook",
    headings: tuple[str, ...] = (),
    document_id: str = "",
) -> RankedPassage:
    chunk = IndexedChunk(
        tenant="default",
        document_id=document_id or f"{number}/handbook.md",
        chunk_id=UUID(int=number),
        revision=1,
        submitted_at=None if minutes is None else MORNING + timedelta(minutes=minutes),
        ordinal=number,
        title=title,
        heading_path=headings,
        text=text,
        start=0,
        end=len(text),
    )
    return RankedPassage(chunk, {"bm25": 9.0, "fused": 10.0 - number if score is None else score})


def shown(*passages: RankedPassage, least: float = 0.6) -> list[int]:
    return [each.chunk.ordinal for each in without_repeats(passages, least)]


def test_of_the_same_and_nearly_the_same_the_newest_is_shown_by_the_scores_of_the_best() -> None:
    passages = [ranked(1, minutes=5), ranked(2, LONGER, minutes=9), ranked(3, "Other."), ranked(4)]
    first, other = without_repeats(passages, 0.6)
    assert (first.chunk.ordinal, first.scores) == (2, passages[0].scores)
    assert [each.ordinal for each in first.duplicates] == [1, 4]
    assert (other.chunk.ordinal, other.duplicates) == (3, ())


def test_when_the_newest_goes_the_next_is_shown() -> None:
    passages = [ranked(1, minutes=1), ranked(2, LONGER, minutes=3), ranked(3, TEXT, minutes=2)]
    assert shown(*passages) == [2]
    assert shown(passages[0], passages[2]) == [3]
    assert shown(passages[0]) == [1]


def test_one_without_a_time_is_the_oldest_and_of_equally_new_ones_the_better_is_shown() -> None:
    assert shown(ranked(1, minutes=None), ranked(2, LONGER)) == [2]
    assert shown(ranked(1), ranked(2, LONGER)) == [1]
    assert shown(ranked(1, minutes=None), ranked(2, LONGER, minutes=None)) == [1]


def test_under_another_title_or_heading_what_is_nearly_the_same_may_be_about_something_else() -> (
    None
):
    assert shown(ranked(1), ranked(2, LONGER, title="Handbook of Bern")) == [1, 2]
    assert shown(ranked(1, headings=("Bern",)), ranked(2, LONGER, headings=("Chur",))) == [1, 2]
    assert shown(ranked(1, title="HANDBOOK "), ranked(2, LONGER, minutes=1)) == [2]


def test_the_same_words_are_ranked_once_under_any_title_and_the_best_of_them_is_shown() -> None:
    passages = [ranked(1), ranked(2, title="Handbook of Bern", minutes=5), ranked(3, minutes=2)]
    assert shown(*passages) == [3]
    assert shown(*passages[:2]) == [1]


def test_without_a_title_the_files_name_stands_for_it() -> None:
    one = ranked(1, title="", document_id="a/house.txt")
    same = ranked(2, LONGER, title="", document_id="b/House.txt", minutes=1)
    other = ranked(3, LONGER, title="", document_id="b/garden.txt", minutes=1)
    assert shown(one, same) == [2]
    assert shown(one, other) == [1, 3]


def test_what_one_document_says_twice_it_means_to_say_twice() -> None:
    twice = [ranked(1, document_id="d"), ranked(2, LONGER, document_id="d")]
    assert shown(*twice) == [1, 2]
    assert shown(ranked(0, document_id="e", minutes=-1), *twice) == [1, 2]


def test_facts_that_differ_are_all_shown() -> None:
    assert shown(ranked(1, f"{TEXT} It costs 5."), ranked(2, f"{TEXT} It costs 7.")) == [1, 2]


def test_with_a_bound_of_one_only_the_same_words_are_ranked_once() -> None:
    assert shown(ranked(1), ranked(2, LONGER), ranked(3), least=1) == [1, 2]


def test_equal_scores_are_in_the_order_of_what_is_shown() -> None:
    """Whoever fuses the raw scores again gets the same order."""
    passages = [ranked(1, score=2), ranked(2, "Other.", score=2), ranked(3, LONGER, minutes=1)]
    assert shown(*passages) == [2, 3]


def test_in_a_chain_each_is_compared_with_the_best_one() -> None:
    sentences = [f"{word} is asked for in the office of the house before noon" for word in "abcdef"]
    chain = [". ".join(sentences[first : first + 4]) for first in range(3)]
    passages = [ranked(number, text, minutes=number) for number, text in enumerate(chain)]
    assert shown(*passages, least=0.55) == [1, 2]


def test_times_are_compared_over_time_zones() -> None:
    later = ranked(2, LONGER)
    stamp = datetime.fromisoformat("2026-01-05T10:00:00+09:00")
    sooner = ranked(1)
    sooner = RankedPassage(sooner.chunk.model_copy(update={"submitted_at": stamp}), sooner.scores)
    assert stamp < MORNING
    assert shown(sooner, later) == [2]
