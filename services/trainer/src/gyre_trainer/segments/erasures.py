"""Erasures on record, on the segments' own shelf: begun, searched, done."""

import json
from datetime import datetime

from gyre_common.events.event import new_id
from gyre_common.store import DamagedContentError, Shelf

from gyre_trainer.segments.erasure import Erasure, Subject, SubjectKind, key_of

FOLDER = "erasures"
"""Beside the segments. What is here is kept: a topic that is read again brings nothing back."""


class Erasures:
    """Each is on record before anything of it happens, so that one that was killed goes on.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    DamagedContentError for a record that cannot be read.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._read: dict[str, Erasure] = {}

    async def begin(self, subject: Subject, until: datetime) -> Erasure:
        """Put on record what is to be forgotten."""
        erasure = Erasure(
            erasure_id=new_id().hex,
            tenant=subject.tenant,
            kind=subject.kind,
            key=key_of(subject),
            until=until,
        )
        await self._put(erasure, "begun")
        return erasure

    async def search_done(self, erasure: Erasure) -> None:
        """Put on record which interactions it is about."""
        await self._put(erasure, "searched")

    async def finish(self, erasure: Erasure) -> None:
        """Nothing is left to do."""
        await self._shelf.put(f"{FOLDER}/{erasure.erasure_id}.done", b"")

    async def all(self) -> list[Erasure]:
        """As much as is known of each, in the order in which they were begun."""
        newest = {}
        for name in await self._shelf.names(FOLDER):
            erasure_id, _, state = name.rpartition("/")[2].partition(".")
            if state in ("begun.json", "searched.json"):  # in this order
                newest[erasure_id] = await self._get(name)
        return list(newest.values())

    async def unfinished(self) -> list[Erasure]:
        """Those that have begun and are not done."""
        names = set(await self._shelf.names(FOLDER))
        return [e for e in await self.all() if f"{FOLDER}/{e.erasure_id}.done" not in names]

    async def _put(self, erasure: Erasure, state: str) -> None:
        record = {
            "erasure_id": erasure.erasure_id,
            "tenant": erasure.tenant,
            "kind": erasure.kind.value,
            "key": erasure.key,
            "until": erasure.until.isoformat(),
            "interactions": sorted(erasure.interactions),
            "quoting": sorted(erasure.quoting),
            "conversations": sorted(erasure.conversations),
        }
        data = json.dumps(record, sort_keys=True).encode()
        await self._shelf.put(f"{FOLDER}/{erasure.erasure_id}.{state}.json", data)

    async def _get(self, name: str) -> Erasure:
        if name not in self._read:
            try:
                record = json.loads(await self._shelf.get(name))
                self._read[name] = Erasure(
                    erasure_id=record["erasure_id"],
                    tenant=record["tenant"],
                    kind=SubjectKind(record["kind"]),
                    key=record["key"],
                    until=datetime.fromisoformat(record["until"]),
                    interactions=frozenset(record["interactions"]),
                    quoting=frozenset(record["quoting"]),
                    conversations=frozenset(record["conversations"]),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedContentError(
                    f"{name} cannot be read: restore it from a copy of the store"
                ) from error
        return self._read[name]
