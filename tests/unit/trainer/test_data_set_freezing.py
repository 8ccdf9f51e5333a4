"""A window becomes a frozen data set: the same one every time, or a clear refusal."""

import asyncio
import json
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.store import Shelf, digest_of
from gyre_trainer.data_sets.freezing import freeze, freeze_joined
from gyre_trainer.data_sets.frozen import DataSetRow, FrozenDataSet, without_deleted
from gyre_trainer.data_sets.profiles import Profile, profile_named
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trainer.training_facts import (
    a_crowd,
    a_vote,
    an_interaction,
    an_opinion,
    chunk,
    join,
    shown,
)

DEMO = profile_named("demo")
SMALL = Profile("small", 10, 2, 1, 0.5, 0.1)
WINDOW = {"feedback.received.v1/0": (0, 600), "interactions.completed.v1/0": (0, 300)}


def a_data_set(
    *facts: PartitionFacts, profile: Profile = DEMO, tenant: str = "acme", **options: Any
) -> FrozenDataSet:
    return freeze_joined(join(*facts), window=WINDOW, tenant=tenant, profile=profile, **options)


def test_a_data_set_names_what_is_in_it() -> None:
    data_set = a_data_set(a_crowd(300))
    assert data_set.digest == digest_of(data_set.files["manifest.json"])
    manifest = json.loads(data_set.files["manifest.json"])
    assert {name: of["digest"] for name, of in manifest["files"].items()} == {
        name: digest_of(data) for name, data in data_set.files.items() if name != "manifest.json"
    }
    assert manifest["window"] == {
        "feedback.received.v1/0": "0-600",
        "interactions.completed.v1/0": "0-300",
    }
    assert (manifest["tenant"], manifest["profile"]) == ("acme", "demo")
    assert json.loads(data_set.files["card.json"]) == data_set.card


def test_a_row_says_what_was_shown_and_what_is_known_of_it() -> None:
    data_set = a_data_set(a_crowd(300))
    seventh = an_interaction(7).interaction_id
    [row] = [row for row in data_set.rows("train.jsonl") if row.question_id == seventh]
    assert row.part in {"fit", "validation"}
    assert row.tenant == "acme"
    assert row.acl == ("staff",)
    assert row.versions == {"query-encoder": "minilm-l6-v2"}
    assert row.at == "2026-03-02T09:07:01.000000Z"
    assert [(one.label, one.why, one.actors) for one in row.shown] == [
        (-0.25, "passed_over", 1),
        (1.0, "vote_up", 1),
        (-1.0, "vote_down", 1),
    ]
    [actor] = row.actors
    assert "user" not in actor


def test_a_follow_up_is_in_the_cluster_of_what_was_searched_for_it() -> None:
    facts = a_crowd(300)
    follow_ups = [
        replace(one, question="and how is it made?", query=f"{one.question}\nand how is it made?")
        for one in facts.interactions
    ]
    data_set = a_data_set(replace(facts, interactions=follow_ups))
    assert data_set.card["clusters"] == a_data_set(facts).card["clusters"]


def test_no_file_of_a_data_set_holds_a_word_that_was_said() -> None:
    files = a_data_set(a_crowd(300)).files
    assert not [name for name, data in files.items() if b"subject7" in data or b"user-" in data]


def test_the_card_counts_what_the_data_set_holds() -> None:
    card = a_data_set(a_crowd(300)).card
    assert card["votes"] == 600
    assert card["words_by_kind"] == {"chunk up": 300, "chunk down": 300}
    assert card["last_vote_at"] == "2026-03-02T13:59:11.000000Z"
    assert card["actors"] == 5
    assert card["train_questions"] + card["parts"]["gate"]["questions"] == 300
    assert card["parts"]["gate"]["held_out"] >= DEMO.slice_questions
    assert card["parts"]["gate"]["voted"] >= DEMO.slice_questions
    assert card["judged_by_rank"]["2"] == {"shown": 300, "judged": 300, "p": 0.998339}
    assert card["judged_by_rank"]["1"] == {"shown": 300, "judged": 0, "p": 0.001661}
    assert card["labels_by_rank"]["1"] == {"passed_over": 300}


def test_a_click_teaches_and_is_no_vote() -> None:
    facts = a_crowd(300)
    first = facts.interactions[0]
    click = an_opinion(
        first,
        kind="implicit",
        value="click",
        target=first.shown[0].chunk_id,
        received_at=first.completed_at + timedelta(days=1),
    )
    card = a_data_set(replace(facts, feedback=(*facts.feedback, click))).card
    assert (card["votes"], card["signals"]) == (600, 1)
    assert card["words_by_kind"]["implicit click"] == 1
    assert card["last_vote_at"] == "2026-03-02T13:59:11.000000Z"
    assert card["labels"]["click"] == 1


def test_what_was_left_out_is_on_the_card_with_its_reason() -> None:
    facts = a_crowd(300)
    quarrel = an_interaction(900, 1, cited=())
    unseen = a_vote(facts.interactions[0], 77, offset=900)
    votes = [a_vote(quarrel, 1, offset=901), a_vote(quarrel, 1, "down", offset=902, actor="bob")]
    data_set = a_data_set(
        PartitionFacts([*facts.interactions, quarrel], [*facts.feedback, unseen, *votes])
    )
    assert data_set.card["dropped"] == {
        "actors contradict each other evenly on a passage": 1,
        "nothing clear was said of any passage": 1,
        "the passage was not shown": 1,
    }


def test_explored_passages_are_kept_and_marked() -> None:
    facts = a_crowd(300)
    interaction = facts.interactions[0]
    explored = replace(
        interaction, shown=(*interaction.shown, shown(9, 4, explored=True, propensity=0.2))
    )
    facts = replace(facts, interactions=(explored, *facts.interactions[1:]))
    vote = a_vote(explored, 9, offset=10_000)
    data_set = a_data_set(replace(facts, feedback=(*facts.feedback, vote)))
    assert data_set.card["explored"] == {"shown": 1, "labelled": 1, "positive": 1}
    everything = data_set.rows("train.jsonl", "gate.jsonl")
    [row] = [r for r in everything if r.question_id == explored.interaction_id]
    assert row.shown[3].explored
    assert row.shown[3].propensity == 0.2


def test_a_held_out_question_knows_only_documents_that_training_does_not_like() -> None:
    facts = a_crowd(300)
    also_liked = [
        a_vote(one, 20_000 + n // 2, offset=1_000 + n, actor=f"user-{n % 5}")
        for n, one in enumerate(facts.interactions)
        if n % 2 == 0
    ]
    interactions = [
        replace(one, shown=(shown(20_000 + n // 2, 1), *one.shown[1:]))
        for n, one in enumerate(facts.interactions)
    ]
    data_set = a_data_set(PartitionFacts(interactions, [*facts.feedback, *also_liked]))
    learned = {document for row in data_set.rows("train.jsonl") for document in liked(row)}
    held_out = [row for row in data_set.rows("gate.jsonl") if row.held_out]
    assert len(held_out) >= DEMO.slice_questions
    for row in held_out:
        assert liked(row)
        assert not set(liked(row)) & learned
    clusters = [
        {row.cluster for row in data_set.rows(name)} for name in ("train.jsonl", "gate.jsonl")
    ]
    assert not clusters[0] & clusters[1]


def liked(row: DataSetRow) -> list[str]:
    return [one.document_id for one in row.shown if (one.label or 0) > 0]


@given(st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_neither_order_nor_partitions_change_the_digest(dice: random.Random) -> None:
    facts = a_crowd(150)
    interactions, feedback = list(facts.interactions), list(facts.feedback)
    dice.shuffle(interactions)
    dice.shuffle(feedback)
    middle = interactions[: dice.randrange(150)]
    theirs = {one.interaction_id for one in middle}
    parts = [
        PartitionFacts(
            [i for i in interactions if (i.interaction_id in theirs) is of_theirs],
            [f for f in feedback if (f.interaction_id in theirs) is of_theirs],
        )
        for of_theirs in (True, False)
    ]
    dice.shuffle(parts)
    assert a_data_set(*parts).digest == a_data_set(facts).digest


@given(cuts=st.sets(st.integers(1, 299), max_size=12), records=st.sampled_from([20, 50, 5_000]))
@settings(max_examples=6, deadline=None)
def test_the_boundaries_of_segments_do_not_change_the_digest(cuts: set[int], records: int) -> None:
    digests = {asyncio.run(from_segments(some, records)) for some in (cuts, set())}
    assert len(digests) == 1


async def freeze_all(segments: Segments, tenant: str) -> FrozenDataSet:
    window = await segments.durable()
    return await freeze(segments, tenant=tenant, profile=DEMO, window=window)


async def from_segments(cuts: set[int], records: int) -> str:
    """The digest after writing a crowd's facts cut at these offsets, and merging some."""
    facts = a_crowd(150)
    segments = Segments(Shelf(f"memory://{uuid4().hex}", "s"), records=records, merge_at=4)
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), 300], strict=True):
        await segments.append(FEEDBACK, 0, facts.feedback[first:end])
        await segments.append(INTERACTIONS, 0, facts.interactions[first:end])
    return (await freeze_all(segments, "acme")).digest


async def test_only_the_tenant_that_was_asked_for_is_in_it_and_the_star_means_all() -> None:
    facts = a_crowd(300)
    theirs = {one.interaction_id for one in facts.interactions[::2]}
    segments = Segments(Shelf(f"memory://{uuid4().hex}", "s"))
    for stream, of_stream in ((INTERACTIONS, facts.interactions), (FEEDBACK, facts.feedback)):
        mixed = [
            replace(f, tenant="acme" if f.interaction_id in theirs else "other") for f in of_stream
        ]
        await segments.append(stream, 0, mixed)
    data_set = await freeze_all(segments, "acme")
    everything = data_set.rows("train.jsonl", "gate.jsonl")
    assert {row.tenant for row in everything} == {"acme"}
    assert data_set.card["interactions"]["read"] == 150
    data_set = await freeze_all(segments, "*")
    assert data_set.card["interactions"]["read"] == 300


async def test_a_window_beyond_what_was_collected_is_refused() -> None:
    segments = Segments(Shelf(f"memory://{uuid4().hex}", "s"))
    with pytest.raises(FailedPrecondition, match=r"wants .*/0 from 0 to 600, but the store keeps"):
        await freeze(segments, tenant="acme", profile=DEMO, window=WINDOW)


async def test_an_empty_window_is_refused() -> None:
    segments = Segments(Shelf(f"memory://{uuid4().hex}", "s"))
    with pytest.raises(FailedPrecondition, match="window is empty: no question of tenant acme"):
        await freeze_all(segments, "acme")


def test_questions_without_a_vote_are_refused() -> None:
    with pytest.raises(FailedPrecondition, match="holds 1 questions of tenant acme, but no vote"):
        a_data_set(PartitionFacts((an_interaction(),)))


def test_too_few_votes_are_refused_with_what_there_is_and_what_to_do() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        a_data_set(a_crowd(300), profile=profile_named(""))
    message = str(refused.value)
    assert "profile default needs 1,000 and 100" in message
    assert "--profile demo (100 and 40)" in message
    with pytest.raises(FailedPrecondition, match="profile demo needs 100 and 40; collect") as again:
        a_data_set(a_crowd(30))
    assert "--profile" not in str(again.value)


def test_of_the_questions_to_train_on_it_is_told_how_many_can_teach() -> None:
    facts = a_crowd(300)
    only_against = [vote for n, vote in enumerate(facts.feedback) if n % 2 or n < 300]
    card = a_data_set(replace(facts, feedback=only_against)).card
    parts = card["parts"]
    assert card["train_questions"] == parts["fit"]["questions"] + parts["validation"]["questions"]
    assert card["train_with_positive"] == 150 - parts["gate"]["with_positive"]
    with pytest.raises(FailedPrecondition) as refused:
        a_data_set(
            replace(facts, feedback=only_against), profile=replace(DEMO, train_questions=1_000)
        )
    assert f"{card['train_with_positive']} of them with a passage that somebody liked" in str(
        refused.value
    )


def test_all_votes_by_one_actor_are_refused_but_not_for_a_demo() -> None:
    alone = a_crowd(300, actors=1)
    with pytest.raises(FailedPrecondition, match=r"all votes are by one actor, .* at most 50%"):
        a_data_set(alone, profile=SMALL)
    assert a_data_set(alone).card["most_of_one_actor"] == 1.0


def test_an_actor_who_outweighs_all_others_is_refused() -> None:
    facts = a_crowd(300, actors=100)
    louder = [replace(f, actor="ann") if n % 3 else f for n, f in enumerate(facts.feedback)]
    with pytest.raises(FailedPrecondition, match=r"6\d% of what is to be learned is by one actor"):
        a_data_set(replace(facts, feedback=louder), profile=SMALL)


@pytest.mark.parametrize(("value", "direction"), [("up", "for"), ("down", "against")])
def test_one_sided_votes_are_refused(value: str, direction: str) -> None:
    interactions = [an_interaction(n, n) for n in range(300)]
    feedback = [a_vote(i, n, value, actor=f"u{n % 5}") for n, i in enumerate(interactions)]
    with pytest.raises(FailedPrecondition, match=f"one-sided: all 300 labels are {direction} what"):
        a_data_set(PartitionFacts(interactions, feedback))


def test_votes_that_only_contradict_each_other_are_refused() -> None:
    interaction = an_interaction(0, 1)
    against = a_vote(interaction, 1, "down", actor="bob")
    with pytest.raises(FailedPrecondition, match="2 votes in the window say nothing clear"):
        a_data_set(PartitionFacts((interaction,), (a_vote(interaction, 1), against)))


def test_votes_on_deleted_documents_are_taken_out() -> None:
    train_rows = a_data_set(a_crowd(300)).rows("train.jsonl")
    first, second = train_rows[0], train_rows[-1]
    corpus = {one.chunk_id for row in train_rows for one in row.shown}
    corpus.remove(first.shown[1].chunk_id)  # all that was liked
    corpus.remove(second.shown[2].chunk_id)
    remaining = without_deleted(train_rows, corpus)
    ids = {row.question_id for row in remaining}
    assert first.question_id not in ids
    [row] = [row for row in remaining if row.question_id == second.question_id]
    assert row.shown[2].label is None
    assert row.shown[2].why == "deleted"
    assert len(remaining) < len(train_rows)


def test_nothing_is_taken_out_while_all_documents_are_there() -> None:
    train_rows = a_data_set(a_crowd(300)).rows("train.jsonl")
    corpus = {chunk(n) for n in range(40_000)}
    assert without_deleted(train_rows, corpus) == train_rows
