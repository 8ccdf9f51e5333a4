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

from gyre_trainer.data_sets.folders import rows
from gyre_trainer.data_sets.frozen import GATE, TRAIN, Frozen
from gyre_trainer.data_sets.joining import actor_digest
from gyre_trainer.data_sets.keeping import DataSets, Kept
from gyre_trainer.data_sets.rows import Row
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.shelf import Segments
from gyre_trainer.segments.window import read_back

Reference = tuple[str, str]
"""A question: its tenant and interaction id."""


async def question_texts(frozen: Frozen, segments: Segments) -> Mapping[Reference, str]:
    """What was searched for, by the reference that a row has to it.

    Raises:
        FailedPrecondition: facts that it refers to were forgotten or are too old.
    """
    wanted = {_reference(row) for row in _rows(frozen)}
    tenant = None if frozen.tenant == EVERY_TENANT else frozen.tenant
    texts: dict[Reference, str] = {}
    window = read_back(frozen.card["window"])
    async for facts in segments.interactions(window, tenant):
        for fact in facts:
            reference = (fact.tenant, fact.interaction_id)
            if reference in wanted:
                texts.setdefault(reference, redact(fact.searched, fact.tenant))
    missing = len(wanted - texts.keys())
    if missing:
        raise FailedPrecondition(
            f"data set {frozen.digest} refers to {missing:,} questions that were forgotten or are "
            "too old: start a new run, which freezes another"
        )
    return texts


async def expire_what_lost_facts(data_sets: DataSets, segments: Segments, at: datetime) -> int:
    """Expire every data set of which a fact is gone; returns how many."""
    present = [one for one in await data_sets.of_every_tenant() if one.expired_at is None]
    row_sets = {one.digest: await _rows_of(data_sets, one) for one in present}
    wanted = {_reference(row) for each in row_sets.values() for row in each or ()}
    there: dict[Reference, _There] = {}
    async for facts in segments.facts(await segments.durable(), None):
        there |= _there(facts, wanted)
    expired = [one for one in present if not _is_whole(row_sets[one.digest], there)]
    for one in expired:
        await data_sets.expire(one, at)
    return len(expired)


@dataclass(frozen=True)
class _There:
    """What is there of an interaction: ids of passages, digests of the actors who spoke."""

    passages: frozenset[str]
    actors: frozenset[str]


def _there(facts: PartitionFacts, wanted: set[Reference]) -> dict[Reference, _There]:
    mine = {
        (fact.tenant, fact.interaction_id): fact
        for fact in facts.interactions
        if (fact.tenant, fact.interaction_id) in wanted
    }
    actors: dict[Reference, set[str]] = {reference: set() for reference in mine}
    for word in facts.feedback:
        reference = (word.tenant, word.interaction_id)
        if reference in mine:
            actors[reference].add(actor_digest(mine[reference], word))
    return {
        reference: _There(frozenset(s.chunk_id for s in fact.shown), frozenset(actors[reference]))
        for reference, fact in mine.items()
    }


def _is_whole(rows: list[Row] | None, there: Mapping[Reference, _There]) -> bool:
    if rows is None:
        return False
    for row in rows:
        facts = there.get(_reference(row))
        if (
            facts is None
            or not facts.passages.issuperset(shown["chunk_id"] for shown in row["shown"])
            or not facts.actors.issuperset(row["actors"])
        ):
            return False
    return True


async def _rows_of(data_sets: DataSets, kept: Kept) -> list[Row] | None:
    """None where the store cannot give it whole any more: nobody can train on it."""
    try:
        return list(_rows(await data_sets.files(kept)))
    except (NotFound, DamagedContentError, KeyError, ValueError):
        return None


def _rows(frozen: Frozen) -> Iterable[Row]:
    return [*rows(frozen, TRAIN), *rows(frozen, GATE)]


def _reference(row: Row) -> Reference:
    return (row["tenant"], row["question_id"])
