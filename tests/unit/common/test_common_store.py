"""The store keeps content by its digest, whole or not at all."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from gyre_common.errors import InvalidInput, NotFound, Retryable
from gyre_common.store import DamagedContentError, Store, digest_of

from tests.unit.failing_disk import NEW_FILE, REFUSALS, WRITTEN, failing

TEA = b"Green tea is steeped at 80 degrees."


async def test_what_is_put_can_be_read_back(store_url: str) -> None:
    store = Store(store_url)
    ref = await store.put(TEA)
    assert ref.digest == digest_of(TEA)
    assert ref.size_bytes == len(TEA)
    assert await store.get(ref.uri, ref.digest) == TEA


async def test_putting_twice_keeps_one(store_url: str) -> None:
    store = Store(store_url)
    first, second = await asyncio.gather(store.put(TEA), store.put(TEA))
    assert first == second
    filesystem, path = fsspec.core.url_to_fs(store_url)
    assert len(filesystem.find(path)) == 1


async def pieces(*, breaks_off: bool = False) -> AsyncIterator[bytes]:
    for word in TEA.split(b" "):
        yield word
    if breaks_off:
        raise ConnectionResetError


async def test_pieces_become_one_content(store_url: str) -> None:
    store = Store(store_url)
    whole = TEA.replace(b" ", b"")
    assert await store.put_stream(pieces()) == await store.put(whole)
    ref = await store.put_stream(pieces())
    assert await store.get(ref.uri, ref.digest) == whole


async def test_pieces_that_break_off_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        await Store(f"file://{tmp_path}").put_stream(pieces(breaks_off=True))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_empty_content_is_content(store_url: str) -> None:
    store = Store(store_url)
    ref = await store.put(b"")
    assert await store.get(ref.uri, ref.digest) == b""


async def test_what_lies_in_a_folder_of_a_day_is_read_too(store_url: str) -> None:
    store = Store(store_url)
    ref = await Store(f"{store_url}/originals/2026-01-05").put(TEA)
    assert await store.get(ref.uri, ref.digest) == TEA
    for folder in ("/..", "/../2026-01-05", "/a/b/2026-01-05", "/originals", "::x/2026-01-05"):
        uri = ref.uri.replace("/originals/2026-01-05", folder)
        with pytest.raises(InvalidInput):
            await store.get(uri, ref.digest)


async def test_what_was_never_put_is_not_found(store_url: str) -> None:
    store = Store(store_url)
    ref = await Store(f"memory://{uuid4().hex}").put(TEA)
    uri = ref.uri.replace(ref.uri.partition("/sha256/")[0], store_url)
    with pytest.raises(NotFound):
        await store.get(uri, ref.digest)


async def test_damaged_content_is_not_handed_out(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    ref = await store.put(TEA)
    Path(ref.uri.removeprefix("file://")).write_bytes(b"something else")
    with pytest.raises(DamagedContentError):
        await store.get(ref.uri, ref.digest)


async def test_putting_again_mends_a_file_that_was_cut_short(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    ref = await store.put(TEA)
    Path(ref.uri.removeprefix("file://")).write_bytes(TEA[:5])
    await store.put(TEA)
    assert await store.get(ref.uri, ref.digest) == TEA


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "http://127.0.0.1:8123/", "memory://other/sha256/aa/bb"]
)
async def test_a_reference_to_anywhere_else_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(InvalidInput):
        await Store(f"file://{tmp_path}").get(uri, digest_of(TEA))


@pytest.mark.parametrize("digest", ["", "md5:abc", "sha256:../../etc", "sha256:" + "G" * 64])
async def test_a_malformed_digest_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(InvalidInput):
        await Store(f"file://{tmp_path}").get(f"file://{tmp_path}/x", digest)


@pytest.mark.parametrize("number", REFUSALS)
async def test_a_full_or_read_only_store_can_be_tried_again(tmp_path: Path, number: int) -> None:
    store = Store(f"file://{tmp_path}")
    with failing(NEW_FILE, number), pytest.raises(Retryable, match=os.strerror(number)):
        await store.put(TEA)
    with failing(NEW_FILE, number), pytest.raises(Retryable, match=os.strerror(number)):
        await store.put_stream(pieces())
    ref = await store.put(TEA)
    assert await store.get(ref.uri, ref.digest) == TEA


async def test_a_put_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    with failing(WRITTEN):
        for put in (store.put(TEA), store.put_stream(pieces())):
            with pytest.raises(Retryable):
                await put
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
