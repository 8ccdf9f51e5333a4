"""The texts of passages as they were read: of each tenant each text once, under its digest."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc
from gyre_common.store import Shelf

from gyre_trainer.segments.files import read_unmerged
from gyre_trainer.segments.parquet import parquet_bytes, read_parquet

FOLDER = "passages"
"""Beside the segments; a tenant's packs lie in a folder of its own."""

_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("digest", "text")])


class PassageTexts:
    """Packs of texts, put before the facts that refer to them. Every method raises Retryable, and
    DamagedContentError for a pack that is not readable.
    """

    def __init__(self, shelf: Shelf, *, merge_at: int = 16, texts: int = 5_000) -> None:
        """Packs become one, `merge_at` at a time, until they hold so many texts."""
        self._shelf = shelf
        self._merge_at = merge_at
        self._texts = texts
        self._digests: dict[str, frozenset[str]] = {}

    async def put(self, tenant: str, texts: Mapping[str, str]) -> None:
        """Keep texts by digest; those that are there already stay as they are."""
        packs = await self._packs(tenant)
        stored_digests = frozenset().union(*packs.values())
        fresh = {digest: text for digest, text in texts.items() if digest not in stored_digests}
        if not fresh:
            return
        await self._put(tenant, fresh)
        small = [name for name, digests in packs.items() if len(digests) < self._texts]
        if len(small) + 1 >= self._merge_at:
            await self._merge(tenant, small)

    async def get(self, tenant: str, digests: Collection[str]) -> dict[str, str]:
        """The texts of a tenant by digest, as far as they are there."""
        requested = frozenset(digests)

        async def read() -> dict[str, str]:
            texts: dict[str, str] = {}
            for name, digests_in_pack in (await self._packs(tenant)).items():
                if not requested.isdisjoint(digests_in_pack):
                    texts |= _texts(await self._pack(name), requested)
            return texts

        return await read_unmerged(f"the passages of {tenant}", read)

    async def keep_only(self, referred: Mapping[str, Collection[str]]) -> int:
        """Remove every text but those whose tenant and digest are given; returns how many."""
        names = await self._shelf.names(FOLDER)
        removed = 0
        for tenant in {name.split("/")[1] for name in names}:
            requested = frozenset(referred.get(tenant, ()))
            for name, digests in (await self._packs(tenant)).items():
                if digests <= requested:
                    continue
                remaining = _texts(await self._pack(name), requested)
                if remaining:
                    await self._put(tenant, remaining)
                await self._delete(name)
                removed += len(digests) - len(remaining)
        return removed

    async def _put(self, tenant: str, texts: Mapping[str, str]) -> str:
        digests = sorted(texts)  # the same texts make the same pack
        own = hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]
        name = f"{FOLDER}/{tenant}/{own}.parquet"
        columns = {"digest": digests, "text": [texts[digest] for digest in digests]}
        data = await asyncio.to_thread(lambda: parquet_bytes(pa.table(columns, schema=_SCHEMA)))
        await self._shelf.put(name, data)
        self._digests[name] = frozenset(digests)
        return name

    async def _merge(self, tenant: str, names: Collection[str]) -> None:
        # Killed after the put, this leaves texts twice: the next merge sees to that.
        texts: dict[str, str] = {}
        for name in names:
            texts |= _texts(await self._pack(name), self._digests[name])
        merged = await self._put(tenant, texts)
        for name in set(names) - {merged}:
            await self._delete(name)

    async def _packs(self, tenant: str) -> dict[str, frozenset[str]]:
        async def read() -> dict[str, frozenset[str]]:
            names = await self._shelf.names(f"{FOLDER}/{tenant}")
            for name in set(names).difference(self._digests):
                table = await self._pack(name)
                self._digests[name] = frozenset(table["digest"].to_pylist())
            return {name: self._digests[name] for name in names}

        return await read_unmerged(f"the passages of {tenant}", read)

    async def _delete(self, name: str) -> None:
        await self._shelf.delete(name)
        self._digests.pop(name, None)

    async def _pack(self, name: str) -> pa.Table:
        data = await self._shelf.get(name)
        return await asyncio.to_thread(read_parquet, data, _SCHEMA, f"passages {name}")


def _texts(table: pa.Table, requested: Collection[str]) -> dict[str, str]:
    rows = table.filter(pc.is_in(table["digest"], pa.array(sorted(requested), pa.string())))
    return dict(zip(rows["digest"].to_pylist(), rows["text"].to_pylist(), strict=True))
