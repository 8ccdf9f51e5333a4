"""Frozen data sets in the store: content by digest, and a list of them by tenant."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import DamagedContentError, Shelf, Store

from gyre_trainer.data_sets.answers import KIND, AnswerRow, answer_rows
from gyre_trainer.data_sets.frozen import (
    GATE,
    TRAIN,
    Card,
    FrozenDataSet,
    Reference,
    canonical,
    rfc3339,
)
from gyre_trainer.data_sets.joining import actor_digest
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.shelf import Segments

FOLDER = "data-sets"
"""Where the list stands in the store."""

SHORTEST = 8
"""Hexadecimal digits that a digest may be shortened to."""

_ALGORITHM = "sha256:"
_EXPIRED = ".expired"


@dataclass(frozen=True)
class StoredDataSet:
    """A data set in the list, with its files' digests; these are gone at `expired_at`."""

    digest: str
    tenant: str
    frozen_at: datetime
    train_questions: int
    gate_questions: int
    card: Card
    files: dict[str, str]
    expired_at: datetime | None = None


class DataSetStore:
    """Data sets and their cards. Every method raises Retryable when the store cannot be used."""

    def __init__(self, store: Store, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    async def keep(self, frozen: FrozenDataSet, at: datetime) -> StoredDataSet:
        """Keep it, and list it; one that is listed already keeps the time of its first freezing."""
        files = {}
        for name, data in sorted(frozen.files.items()):
            ref = await self._store.put(data)
            files[name] = {"uri": ref.uri, "digest": ref.digest}
        entry = {
            "digest": frozen.digest,
            "tenant": frozen.tenant,
            "frozen_at": rfc3339(at),
            "card": frozen.card,
            "files": files,
        }
        name = _name(frozen.tenant, frozen.digest)
        await self._shelf.put(name, canonical(entry).encode())
        # The same facts may be there again, read anew from their topics.
        await self._shelf.delete(f"{name}{_EXPIRED}")
        return await self._entry(name)

    async def of_tenant(self, tenant: str | None) -> list[StoredDataSet]:
        """Those of a tenant or of all tenants together (`*`), or, with None, all; newest first."""
        names = set(await self._shelf.names("" if tenant is None else _folder(tenant)))
        data_sets = [await self._entry(name, names) for name in _entries(names)]
        return sorted(data_sets, key=lambda data_set: data_set.frozen_at, reverse=True)

    async def files(self, data_set: StoredDataSet) -> FrozenDataSet:
        """Raises FailedPrecondition: expired; NotFound or DamagedContentError: a file is lost."""
        if data_set.expired_at is not None:
            raise FailedPrecondition(
                f"data set {data_set.digest} expired at {data_set.expired_at:%Y-%m-%d %H:%M}: "
                "facts that it refers to were forgotten or are too old; start a new run, which "
                "freezes another"
            )
        files = {
            name: await self._store.get(self._store.uri(digest), digest)
            for name, digest in data_set.files.items()
        }
        return FrozenDataSet(data_set.digest, data_set.tenant, data_set.card, files)

    async def expire(self, data_set: StoredDataSet, at: datetime) -> None:
        """Remove the files of a data set; its card stays, and says when that was."""
        for digest in data_set.files.values():
            await self._store.delete(digest)
        mark = canonical({"expired_at": rfc3339(at)}).encode()
        await self._shelf.put(f"{_name(data_set.tenant, data_set.digest)}{_EXPIRED}", mark)

    async def get(self, tenant: str, digest: str) -> StoredDataSet:
        """By the first digits. Raises InvalidInput: no digest, short or ambiguous; NotFound."""
        start = digest.removeprefix(_ALGORITHM)
        if len(start) < SHORTEST or len(start) > 64 or not set(start) <= set("0123456789abcdef"):
            raise InvalidInput(
                "digest", "is not one", f"send {SHORTEST} or more of its hexadecimal digits"
            )
        names = await self._shelf.names(_folder(tenant))
        matches = [name for name in _entries(names) if name.rpartition("/")[2].startswith(start)]
        if not matches:
            raise NotFound(f"there is no data set {digest}: `gyre datasets list` shows them all")
        if len(matches) > 1:
            longer = ", ".join(name.rpartition("/")[2][: SHORTEST + 8] for name in matches)
            raise InvalidInput(
                "digest", "begins more than one", f"send more digits, such as {longer}"
            )
        return await self._entry(matches[0], names)

    async def of_caller(self, tenant: str, digest: str) -> StoredDataSet:
        """One of the tenant, or of all tenants together. Raises as `get`."""
        try:
            return await self.get(tenant, digest)
        except NotFound:
            return await self.get(EVERY_TENANT, digest)

    async def _entry(self, name: str, names: Collection[str] = ()) -> StoredDataSet:
        try:
            entry: dict[str, Any] = json.loads(await self._shelf.get(name))
            expired_at = None
            if f"{name}{_EXPIRED}" in names:
                mark = json.loads(await self._shelf.get(f"{name}{_EXPIRED}"))
                expired_at = datetime.fromisoformat(mark["expired_at"])
            card = entry["card"]
            return StoredDataSet(
                digest=entry["digest"],
                tenant=entry["tenant"],
                frozen_at=datetime.fromisoformat(entry["frozen_at"]),
                train_questions=card["train_questions"],
                gate_questions=card["gate_questions"],
                card=card,
                files={name: one["digest"] for name, one in entry["files"].items()},
                expired_at=expired_at,
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedContentError(f"the entry {FOLDER}/{name} cannot be read") from error


def _name(tenant: str, digest: str) -> str:
    return f"{_folder(tenant)}/{digest.removeprefix(_ALGORITHM)}.json"


def _entries(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".json"))


def _folder(tenant: str) -> str:
    # No tenant's name holds an underscore.
    return "_every" if tenant == EVERY_TENANT else tenant


async def expire_incomplete_data_sets(
    data_sets: DataSetStore, segments: Segments, at: datetime
) -> int:
    """Expire every data set of which a fact is gone; returns how many."""
    stored = [one for one in await data_sets.of_tenant(None) if one.expired_at is None]
    needed_ids = {one.digest: await _needed(data_sets, one) for one in stored}
    references = {reference for each in needed_ids.values() for reference in each or ()}
    present_ids: dict[Reference, set[str]] = defaultdict(set)
    async for facts in segments.facts(await segments.durable(), EVERY_TENANT):
        _add_present(facts, references, present_ids)
    expired = 0
    for one in stored:
        ids = needed_ids[one.digest]
        if ids is None or any(
            each not in present_ids or ids[each] - present_ids[each] for each in ids
        ):
            await data_sets.expire(one, at)
            expired += 1
    return expired


async def _needed(
    data_sets: DataSetStore, data_set: StoredDataSet
) -> dict[Reference, set[str]] | None:
    """Ids of chunks and feedback, and actor digests, by question; those of actors who agree on an
    answer, whichever of them was asked it, by `_anywhere`. None where the store has lost a file.
    """
    needed: dict[Reference, set[str]] = defaultdict(set)
    try:
        frozen = await data_sets.files(data_set)
        rows = answer_rows(frozen) if KIND in frozen.card else frozen.rows(TRAIN, GATE)
    except (NotFound, DamagedContentError, KeyError, ValueError):
        return None
    for row in rows:
        needed[row.reference].update(shown.chunk_id for shown in row.shown)
        if isinstance(row, AnswerRow):
            needed[_anywhere(row.tenant)].update(row.actors)
            needed[row.reference].update({row.feedback_id} - {""})
            needed |= {each: needed[each] for each in row.references}
        else:
            needed[row.reference].update(row.actors)
    return needed


def _anywhere(tenant: str) -> Reference:
    """Stands for all questions of a tenant."""
    return (tenant, "")


def _add_present(
    facts: PartitionFacts, references: set[Reference], present_ids: dict[Reference, set[str]]
) -> None:
    interactions = {(fact.tenant, fact.interaction_id): fact for fact in facts.interactions}
    for reference in references & interactions.keys():
        present_ids[reference].update(shown.chunk_id for shown in interactions[reference].shown)
    for feedback in facts.feedback:
        reference = (feedback.tenant, feedback.interaction_id)
        if reference in interactions:
            actor = actor_digest(interactions[reference], feedback)
            present_ids[_anywhere(feedback.tenant)].add(actor)
            present_ids[reference].update({actor, feedback.feedback_id})
