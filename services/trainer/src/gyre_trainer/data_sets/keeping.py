"""Frozen data sets in the store: content by digest, and a list of them by tenant."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre_common.errors import InvalidInput, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import DamagedContentError, Shelf, Store

from gyre_trainer.data_sets.card import Card
from gyre_trainer.data_sets.frozen import Frozen
from gyre_trainer.data_sets.rows import canonical, rfc3339

FOLDER = "data-sets"
"""Where the list stands in the store."""

SHORTEST = 8
"""Hexadecimal digits that a digest may be shortened to."""

_ALGORITHM = "sha256:"


@dataclass(frozen=True)
class Kept:
    """A data set in the list. `files` names where the store has them: uri and digest by name."""

    digest: str
    tenant: str
    frozen_at: datetime
    train_questions: int
    gate_questions: int
    card: Card
    files: dict[str, dict[str, str]]


class DataSets:
    """Keeps data sets for ever, each once, and finds them again.

    Raises, from every method: Retryable when the store is full, read-only or out of reach.
    """

    def __init__(self, store: Store, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf

    async def keep(self, frozen: Frozen, at: datetime) -> Kept:
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
        name = f"{_folder(frozen.tenant)}/{_bare(frozen.digest)}.json"
        await self._shelf.put(name, canonical(entry).encode())
        return await self._entry(name)

    async def list(self, tenant: str) -> list[Kept]:
        """Those of a tenant, or those of all tenants together (`*`); newest first."""
        names = await self._shelf.names(_folder(tenant))
        found = [await self._entry(name) for name in names]
        return sorted(found, key=lambda kept: kept.frozen_at, reverse=True)

    async def get(self, tenant: str, digest: str) -> Kept:
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
        found = [name for name in names if name.rpartition("/")[2].startswith(start)]
        if not found:
            raise NotFound(f"there is no data set {digest}: `gyre datasets list` shows them all")
        if len(found) > 1:
            longer = ", ".join(name.rpartition("/")[2][: SHORTEST + 8] for name in found)
            raise InvalidInput(
                "digest", "begins more than one", f"send more digits, such as {longer}"
            )
        return await self._entry(found[0])

    async def _entry(self, name: str) -> Kept:
        try:
            entry: dict[str, Any] = json.loads(await self._shelf.get(name))
            card = entry["card"]
            return Kept(
                digest=entry["digest"],
                tenant=entry["tenant"],
                frozen_at=datetime.fromisoformat(entry["frozen_at"]),
                train_questions=card["train_questions"],
                gate_questions=card["gate_questions"],
                card=card,
                files=entry["files"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedContentError(f"the entry {FOLDER}/{name} cannot be read") from error


def _folder(tenant: str) -> str:
    # No tenant's name holds an underscore.
    return "_every" if tenant == EVERY_TENANT else tenant


def _bare(digest: str) -> str:
    return digest.removeprefix(_ALGORITHM)
