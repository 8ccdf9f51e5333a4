"""Texts of passages: each once, there before they are referred to, gone with the last reference."""

from pathlib import Path

import pytest
from gyre_common.errors import NotFound
from gyre_common.store import DamagedContentError, Shelf
from gyre_trainer.segments.passages import PassageTexts


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(f"file://{tmp_path}", "segments")


@pytest.fixture
def passages(shelf: Shelf) -> PassageTexts:
    return PassageTexts(shelf, merge_at=4, texts=5)


def numbered(*numbers: int) -> dict[str, str]:
    return {f"d{number}": f"text {number}" for number in numbers}


async def packs(shelf: Shelf, tenant: str = "acme") -> int:
    return len(await shelf.names(f"passages/{tenant}"))


async def test_a_text_is_found_by_tenant_and_digest(passages: PassageTexts, shelf: Shelf) -> None:
    await passages.put("acme", numbered(1, 2))
    await passages.put("other", numbered(3))
    assert await passages.get("acme", ["d1", "d3"]) == numbered(1)
    assert await passages.get("other", ["d1", "d3"]) == numbered(3)
    assert await PassageTexts(shelf).get("acme", ["d2"]) == numbered(2)


async def test_a_text_that_is_there_is_not_kept_again(passages: PassageTexts, shelf: Shelf) -> None:
    await passages.put("acme", numbered(1, 2))
    await passages.put("acme", numbered(2, 1))
    assert await packs(shelf) == 1
    again = PassageTexts(shelf)
    await again.put("acme", numbered(1, 2, 3))
    assert await packs(shelf) == 2


async def test_small_packs_are_merged_until_they_are_large(
    passages: PassageTexts, shelf: Shelf
) -> None:
    for number in range(40):
        await passages.put("acme", numbered(number))
    assert await packs(shelf) < 15
    assert await passages.get("acme", numbered(*range(40))) == numbered(*range(40))


async def test_a_reader_beside_a_merge_starts_again(
    passages: PassageTexts, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = PassageTexts(shelf)
    await passages.put("acme", numbered(1))
    await passages.put("acme", numbered(2))
    get = shelf.get
    merged: list[str] = []

    async def get_late(name: str) -> bytes:
        if not merged:
            merged.append(name)
            await passages.put("acme", numbered(3))
            await passages.put("acme", numbered(4))
            with pytest.raises(NotFound):
                await get(name)
        return await get(name)

    monkeypatch.setattr(shelf, "get", get_late)
    assert await reader.get("acme", numbered(1, 2)) == numbered(1, 2)
    assert merged


async def test_what_nothing_refers_to_goes(passages: PassageTexts, shelf: Shelf) -> None:
    await passages.put("acme", numbered(1, 2))
    await passages.put("acme", numbered(3))
    await passages.put("other", numbered(1))
    assert await passages.keep_only({"acme": {"d1"}}) == 3
    assert await passages.keep_only({"acme": {"d1"}}) == 0
    assert (await packs(shelf), await packs(shelf, "other")) == (1, 0)
    assert await passages.get("acme", numbered(1, 2, 3)) == numbered(1)
    await passages.put("acme", numbered(2))
    assert await passages.get("acme", numbered(2)) == numbered(2)


async def test_a_damaged_pack_is_named(passages: PassageTexts, shelf: Shelf) -> None:
    await shelf.put("passages/acme/broken.parquet", b"not parquet")
    with pytest.raises(DamagedContentError, match=r"acme/broken\.parquet cannot be read"):
        await passages.get("acme", ["d1"])
