"""Frozen data sets in the store: content by digest, and a list of them by tenant."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import DamagedContentError, Shelf, Store

from gyre_trainer.data_sets.card import Card
from gyre_trainer.data_sets.frozen import FrozenDataSet
from gyre_trainer.data_sets.rows import canonical, rfc3339

FOLDER = "data-sets"
"""Where the list stands in the store."""

SHORTEST = 8
"""Hexadecimal digits that a digest may be shortened to."""

_ALGORITHM = "sha256:"
_EXPIRED = ".expired"


@dataclass(frozen=True)
class StoredDataSet:
    """A data set in the list. `files` names the digest of each file.

    Its files are gone at `expired_at`: a fact that it refers to was forgotten, or is too old.
    """

    digest: str
    tenant: str
    frozen_at: datetime
    train_questions: int
    gate_questions: int
    card: Card
    files: dict[str, str]
    expired_at: datetime | None = None


class DataSetStore:
    """Keeps data sets, each once, until a fact that they refer to is gone; and their cards.

    Raises, from every method: Retryable when the store is full, read-only or out of reach.
    """

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
        return await self._entry(name, expired=False)

    async def of_tenant(self, tenant: str) -> list[StoredDataSet]:
        """Those of a tenant, or those of all tenants together (`*`); newest first."""
        return await self._list(_folder(tenant))

    async def of_every_tenant(self) -> list[StoredDataSet]:
        """All there are, whoever they are of."""
        return await self._list("")

    async def files(self, data_set: StoredDataSet) -> FrozenDataSet:
        """A data set itself.

        Raises:
            FailedPrecondition: it has expired.
            NotFound, DamagedContentError: the store has lost a file of it.
        """
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
        """One by its digest, or the first digits of it.

        Raises:
            InvalidInput: that is no digest, too short, or begins more than one.
            NotFound: the tenant has none of that digest.
        """
        start = _bare(digest)
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
        return await self._entry(matches[0], expired=f"{matches[0]}{_EXPIRED}" in names)

    async def _list(self, folder: str) -> list[StoredDataSet]:
        names = set(await self._shelf.names(folder))
        data_sets = [
            await self._entry(name, expired=f"{name}{_EXPIRED}" in names)
            for name in _entries(names)
        ]
        return sorted(data_sets, key=lambda data_set: data_set.frozen_at, reverse=True)

    async def _entry(self, name: str, *, expired: bool) -> StoredDataSet:
        try:
            entry: dict[str, Any] = json.loads(await self._shelf.get(name))
            expired_at = None
            if expired:
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
    return f"{_folder(tenant)}/{_bare(digest)}.json"


def _entries(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".json"))


def _folder(tenant: str) -> str:
    # No tenant's name holds an underscore.
    return "_every" if tenant == EVERY_TENANT else tenant


def _bare(digest: str) -> str:
    return digest.removeprefix(_ALGORITHM)
