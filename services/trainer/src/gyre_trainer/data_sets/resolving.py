"""A data set refers to facts: here its questions get their texts, and here it is found out when a
fact is gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gyre_common.errors import FailedPrecondition, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.redaction import redact
from gyre_common.store import DamagedContentError

from gyre_trainer.data_sets.data_set_store import DataSetStore, StoredDataSet
from gyre_trainer.data_sets.folders import rows
from gyre_trainer.data_sets.frozen import GATE, TRAIN, FrozenDataSet
from gyre_trainer.data_sets.joining import actor_digest
from gyre_trainer.data_sets.rows import DataSetRow
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import window_from_text

Reference = tuple[str, str]
"""A question: its tenant and interaction id."""


async def question_texts(frozen: FrozenDataSet, segments: Segments) -> Mapping[Reference, str]:
    """What was searched for, by the reference that a row has to it.

    Raises:
        FailedPrecondition: facts that it refers to were forgotten or are too old.
    """
    references = {_reference(row) for row in _rows(frozen)}
    tenant = None if frozen.tenant == EVERY_TENANT else frozen.tenant
    texts: dict[Reference, str] = {}
    window = window_from_text(frozen.card["window"])
    async for facts in segments.interactions(window, tenant):
        for fact in facts:
            reference = (fact.tenant, fact.interaction_id)
            if reference in references:
                texts.setdefault(reference, redact(fact.searched, fact.tenant))
    missing = len(references - texts.keys())
    if missing:
        raise FailedPrecondition(
            f"data set {frozen.digest} refers to {missing:,} questions that were forgotten or are "
            "too old: start a new run, which freezes another"
        )
    return texts


async def expire_incomplete_data_sets(
    data_sets: DataSetStore, segments: Segments, at: datetime
) -> int:
    """Expire every data set of which a fact is gone; returns how many."""
    present = [one for one in await data_sets.of_every_tenant() if one.expired_at is None]
    row_sets = {one.digest: await _rows_of(data_sets, one) for one in present}
    references = {_reference(row) for each in row_sets.values() for row in each or ()}
    present_facts: dict[Reference, _PresentFacts] = {}
    async for facts in segments.facts(await segments.durable(), None):
        present_facts |= _present_facts(facts, references)
    expired = [one for one in present if not _is_whole(row_sets[one.digest], present_facts)]
    for one in expired:
        await data_sets.expire(one, at)
    return len(expired)


@dataclass(frozen=True)
class _PresentFacts:
    """What is there of an interaction: ids of passages, digests of the actors who spoke."""

    passages: frozenset[str]
    actors: frozenset[str]


def _present_facts(
    facts: PartitionFacts, references: set[Reference]
) -> dict[Reference, _PresentFacts]:
    interactions = {
        (fact.tenant, fact.interaction_id): fact
        for fact in facts.interactions
        if (fact.tenant, fact.interaction_id) in references
    }
    actors: dict[Reference, set[str]] = {reference: set() for reference in interactions}
    for feedback in facts.feedback:
        reference = (feedback.tenant, feedback.interaction_id)
        if reference in interactions:
            actors[reference].add(actor_digest(interactions[reference], feedback))
    return {
        reference: _PresentFacts(
            frozenset(s.chunk_id for s in fact.shown), frozenset(actors[reference])
        )
        for reference, fact in interactions.items()
    }


def _is_whole(
    rows: list[DataSetRow] | None, present_facts: Mapping[Reference, _PresentFacts]
) -> bool:
    if rows is None:
        return False
    for row in rows:
        facts = present_facts.get(_reference(row))
        if (
            facts is None
            or not facts.passages.issuperset(shown["chunk_id"] for shown in row["shown"])
            or not facts.actors.issuperset(row["actors"])
        ):
            return False
    return True


async def _rows_of(data_sets: DataSetStore, data_set: StoredDataSet) -> list[DataSetRow] | None:
    """None where the store cannot give it whole any more: nobody can train on it."""
    try:
        return list(_rows(await data_sets.files(data_set)))
    except (NotFound, DamagedContentError, KeyError, ValueError):
        return None


def _rows(frozen: FrozenDataSet) -> Iterable[DataSetRow]:
    return [*rows(frozen, TRAIN), *rows(frozen, GATE)]


def _reference(row: DataSetRow) -> Reference:
    return (row["tenant"], row["question_id"])
