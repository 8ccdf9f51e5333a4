"""A data set refers to facts: its questions are read there, and it expires with them."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore, expire_incomplete_data_sets
from gyre_trainer.data_sets.freezing import freeze, question_texts
from gyre_trainer.data_sets.frozen import GATE, TRAIN, FrozenDataSet
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.segments.facts import FeedbackFact, InteractionFact, PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS

from tests.unit.trainer.make_store import QUESTIONS, TINY
from tests.unit.trainer.training_facts import MORNING, a_crowd

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BEFORE_TEXTS = Path(__file__).with_name("store_before_texts.zip")


@pytest.fixture
def segments(store_url: str) -> Segments:
    return Segments(Shelf(store_url, FOLDER))


@pytest.fixture
def data_sets(store_url: str) -> DataSetStore:
    return DataSetStore(Store(store_url), Shelf(store_url, DATA_SETS))


async def frozen_of(
    segments: Segments, facts: PartitionFacts, tenant: str = "acme"
) -> FrozenDataSet:
    await segments.append(INTERACTIONS, 0, facts.interactions)
    await segments.append(FEEDBACK, 0, facts.feedback)
    window = await segments.durable()
    return await freeze(segments, tenant=tenant, profile=TINY, window=window)


@pytest.mark.parametrize("tenant", ["acme", "*"])
async def test_questions_are_read_where_the_facts_are(segments: Segments, tenant: str) -> None:
    facts = a_crowd(60)
    follow_up = replace(facts.interactions[0], question="and then?", query="what is it\nand then?")
    interactions = [follow_up, *facts.interactions[1:]]
    frozen = await frozen_of(segments, replace(facts, interactions=interactions), tenant)
    texts = await question_texts(frozen, segments)
    searched_texts = {(one.tenant, one.interaction_id): one.searched for one in interactions}
    references = {(row.tenant, row.question_id) for row in frozen.rows(TRAIN, GATE)}
    assert texts == {reference: searched_texts[reference] for reference in references}
    assert "what is it\nand then?" in texts.values()


async def test_a_data_set_whose_questions_are_gone_is_refused(segments: Segments) -> None:
    frozen = await frozen_of(segments, a_crowd(60))
    await segments.drop_before(MORNING + timedelta(minutes=3))
    with pytest.raises(FailedPrecondition, match="refers to 3 questions that were forgotten or"):
        await question_texts(frozen, segments)


async def test_a_data_set_stays_as_long_as_every_fact_that_it_refers_to(
    segments: Segments, data_sets: DataSetStore
) -> None:
    await data_sets.keep(await frozen_of(segments, a_crowd(60)), NOON)
    assert await expire_incomplete_data_sets(data_sets, segments, NOON) == 0
    [stored] = await data_sets.of_tenant("acme")
    assert stored.expired_at is None


def without_a_question(facts: PartitionFacts) -> PartitionFacts:
    return replace(facts, interactions=facts.interactions[1:])


def without_a_passage(facts: PartitionFacts) -> PartitionFacts:
    first, *others = facts.interactions
    return replace(facts, interactions=[replace(first, shown=first.shown[1:]), *others])


def without_an_actor(facts: PartitionFacts) -> PartitionFacts:
    return replace(facts, feedback=[one for one in facts.feedback if one.actor != "user-3"])


@pytest.mark.parametrize("change", [without_a_question, without_a_passage, without_an_actor])
async def test_a_data_set_expires_with_what_it_refers_to(
    segments: Segments, data_sets: DataSetStore, store_url: str, tmp_path: Path, change: object
) -> None:
    facts = a_crowd(60)
    stored = await data_sets.keep(await frozen_of(segments, facts), NOON)
    remaining = change(facts)  # type: ignore[operator]
    other = Segments(Shelf(f"file://{tmp_path}/other", FOLDER))
    await other.append(INTERACTIONS, 0, remaining.interactions)
    await other.append(FEEDBACK, 0, remaining.feedback)
    assert await expire_incomplete_data_sets(data_sets, other, NOON) == 1
    assert await expire_incomplete_data_sets(data_sets, other, NOON) == 0
    [expired] = await data_sets.of_tenant("acme")
    assert (expired.expired_at, expired.card) == (NOON, stored.card)
    with pytest.raises(FailedPrecondition, match=r"expired at 2026-03-02 12:00: facts that it"):
        await data_sets.files(expired)


async def test_a_data_set_that_is_frozen_again_is_there_again(
    segments: Segments, data_sets: DataSetStore
) -> None:
    frozen = await frozen_of(segments, a_crowd(60))
    await data_sets.expire(await data_sets.keep(frozen, NOON), NOON)
    again = await data_sets.keep(frozen, NOON)
    assert again.expired_at is None
    assert await data_sets.files(again) == frozen


async def test_a_data_set_that_the_store_has_lost_expires(
    segments: Segments, data_sets: DataSetStore, store_url: str
) -> None:
    stored = await data_sets.keep(await frozen_of(segments, a_crowd(60)), NOON)
    await Store(store_url).delete(stored.files[TRAIN])
    assert await expire_incomplete_data_sets(data_sets, segments, NOON) == 1


# A store from before facts held texts.


@pytest.fixture
def old_store(tmp_path: Path) -> str:
    shutil.unpack_archive(BEFORE_TEXTS, tmp_path / "old")
    return f"file://{tmp_path}/old"


async def test_facts_from_before_texts_were_kept_are_read(old_store: str) -> None:
    segments = Segments(Shelf(old_store, FOLDER))
    window = await segments.durable()
    facts = [part async for part in segments.facts(window, EVERY_TENANT)]
    interactions: list[InteractionFact] = [one for part in facts for one in part.interactions]
    feedback: list[FeedbackFact] = [one for part in facts for one in part.feedback]
    assert len(interactions) == QUESTIONS
    assert len(feedback) == 2 * QUESTIONS
    assert sum(len(part.judgements) for part in facts) == QUESTIONS
    [fact] = [one for one in interactions if one.question == "how does part7 of machine7 work"]
    assert (fact.actor, fact.history, fact.prompt, fact.answer) == ("", (), "", "")
    assert [(one.rank, one.text, one.heading, one.acl) for one in fact.shown] == [
        (rank, "", "", None) for rank in (1, 2, 3)
    ]
    assert {one.comment for one in feedback} == {""}


async def test_a_data_set_from_when_it_held_the_questions_expires_with_their_facts(
    old_store: str,
) -> None:
    segments = Segments(Shelf(old_store, FOLDER))
    data_sets = DataSetStore(Store(old_store), Shelf(old_store, DATA_SETS))
    [stored] = await data_sets.of_tenant("acme")
    frozen = await data_sets.files(stored)
    assert b"how does part7 of machine7 work" in frozen.files[TRAIN] + frozen.files[GATE]
    assert "how does part7 of machine7 work" in (await question_texts(frozen, segments)).values()
    assert await expire_incomplete_data_sets(data_sets, segments, NOON) == 0
    await segments.drop_before(MORNING + timedelta(minutes=20))
    assert await expire_incomplete_data_sets(data_sets, segments, NOON) == 1
    assert not list(Path(old_store.removeprefix("file://")).glob("sha256/*/*"))
