"""What people judged is found again where passages were cut anew."""

from dataclasses import replace
from pathlib import Path

import pytest
from gyre_common.store import Shelf, digest_of
from gyre_trainer.data_sets.freezing import freeze
from gyre_trainer.data_sets.frozen import DataSetRow, ShownRow
from gyre_trainer.data_sets.profiles import profile_named
from gyre_trainer.recipes.query_encoder.moved_passages import (
    best_of,
    judged_passages,
    moved_note,
    with_moved,
)
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS

from tests.unit.trainer.training_facts import a_crowd

LOCK = "The north lock closes at nine in the evening and opens again at six."
BRIDGE = "The bridge over the canal is closed for repairs until the first of May."


@pytest.mark.parametrize(
    ("new", "best"),
    [
        ([("joined", f"{BRIDGE} {LOCK}"), ("other", "It is painted green.")], "joined"),
        ([("head", LOCK[:30]), ("tail", LOCK[20:])], "tail"),
        ([("same", LOCK), ("other", BRIDGE)], "same"),
        ([("changed", "The south lock is open all night, and nobody pays there.")], ""),
        ([], ""),
    ],
)
def test_the_passage_with_most_of_the_words_stands_for_the_old_one(
    new: list[tuple[str, str]], best: str
) -> None:
    assert best_of(LOCK, new) == best


def test_labels_go_with_the_words_and_of_joined_passages_the_mean_stands() -> None:
    row = DataSetRow(
        question_id="q",
        shown=(
            ShownRow(chunk_id="a", label=1.0, why="votes"),
            ShownRow(chunk_id="b", label=0.5),
            ShownRow(chunk_id="c"),
            ShownRow(chunk_id="d", label=-1.0),
        ),
    )
    untouched = DataSetRow(question_id="r", shown=(ShownRow(chunk_id="z", label=1.0),))
    moved, same = with_moved([row, untouched], {"a": "new", "b": "new", "c": "new"})
    assert [(one.chunk_id, one.label, one.why) for one in moved.shown] == [
        ("new", 0.75, "votes"),
        ("d", -1.0, ""),
    ]
    assert same is untouched


async def test_the_words_come_from_the_facts_of_the_data_sets_window(tmp_path: Path) -> None:
    segments, facts = Segments(Shelf(f"file://{tmp_path}", FOLDER)), a_crowd(150)
    texts = {shown.chunk_id: f"passage {shown.chunk_id}" for shown in facts.interactions[7].shown}
    digests = {chunk_id: digest_of(text.encode()) for chunk_id, text in texts.items()}
    interactions = [
        replace(
            each,
            shown=tuple(replace(s, text=digests.get(s.chunk_id, "")) for s in each.shown),
        )
        for each in facts.interactions
    ]
    stored = {digests[chunk_id]: text for chunk_id, text in texts.items()}
    await segments.append(FEEDBACK, 0, facts.feedback)
    await segments.append(INTERACTIONS, 0, interactions, stored)
    window = await segments.durable()
    frozen = await freeze(segments, tenant="acme", profile=profile_named("demo"), window=window)

    judged = await judged_passages(frozen, segments, [*texts, "never shown"])

    assert {chunk_id: each.text for chunk_id, each in judged.items()} == texts
    documents = {shown.chunk_id: shown.document_id for shown in facts.interactions[7].shown}
    assert {chunk_id: each.document_id for chunk_id, each in judged.items()} == documents
    assert {each.tenant for each in judged.values()} == {"acme"}


def test_the_share_that_was_found_is_said() -> None:
    assert moved_note(0, 3) == ""
    assert "3 of 4 judged passages" in moved_note(3, 1)
    assert "(75%)" in moved_note(3, 1)
