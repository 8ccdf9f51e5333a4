"""A model's folder comes out of the store as it went in, or not at all."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gyre_common import model_folders
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.releases.builtin import ENCODER_DIGEST, ENCODER_VERSION, built_in_artifacts
from gyre_common.store import ContentRef, Store, digest_of

from tests.builders import MORNING
from tests.unit.failing_disk import failing

FILES = {
    "model.safetensors": b"weights",
    "config.json": b"{}",
    "onnx/model.onnx": b"a graph",
    "1_Pooling/config.json": b"{}",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}/store")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
async def model_ref(tmp_path: Path, store: Store) -> ContentRef:
    return await keep_model(store, a_folder(tmp_path / "made"))


def a_folder(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def an_artifact(ref: ContentRef, **fields: object) -> Artifact:
    return Artifact.model_validate(
        {
            "version": "votes-1",
            "digest": ref.digest,
            "uri": ref.uri,
            "registered_at": MORNING,
            **fields,
        }
    )


def path_in_store(ref: ContentRef, content: bytes) -> Path:
    """Where the store has a file of these bytes."""
    digest = digest_of(content).removeprefix("sha256:")
    root = Path(ref.uri.removeprefix("file://").partition("/sha256/")[0])
    return root / "sha256" / digest[:2] / digest


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


async def test_a_kept_folder_comes_back_whole(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folder = await ModelFolders(store, cache).folder(an_artifact(model_ref))
    assert contents(folder) == FILES


async def test_the_same_files_are_the_same_version(
    tmp_path: Path, store: Store, model_ref: ContentRef
) -> None:
    assert await keep_model(store, a_folder(tmp_path / "again")) == model_ref
    other = a_folder(tmp_path / "other", {**FILES, "config.json": b"{ }"})
    assert (await keep_model(store, other)).digest != model_ref.digest


async def test_hidden_files_are_left_out(
    tmp_path: Path, store: Store, model_ref: ContentRef
) -> None:
    hidden = {".gitattributes": b"x", ".cache/model.lock": b"", "onnx/.hidden": b"y"}
    assert await keep_model(store, a_folder(tmp_path / "same", {**FILES, **hidden})) == model_ref


async def test_only_what_is_needed_is_fetched(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folders = ModelFolders(store, cache)
    folder = await folders.folder(an_artifact(model_ref), only=("config.json",))
    assert contents(folder) == {"config.json": b"{}"}
    assert contents(await folders.folder(an_artifact(model_ref))) == FILES


async def test_a_file_that_the_model_does_not_have_is_left_out(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folder = await ModelFolders(store, cache).folder(
        an_artifact(model_ref), only=("tokenizer.json",)
    )
    assert contents(folder) == {}


async def test_a_folder_with_nothing_in_it_is_not_kept(tmp_path: Path, store: Store) -> None:
    with pytest.raises(FailedPrecondition):
        await keep_model(store, tmp_path / "nowhere")


async def test_what_is_cached_serves_while_the_store_is_away(
    tmp_path: Path, store: Store, cache: Path, model_ref: ContentRef
) -> None:
    await ModelFolders(store, cache).folder(an_artifact(model_ref))
    away = Store(f"file://{tmp_path}/nothing here")
    assert contents(await ModelFolders(away, cache).folder(an_artifact(model_ref))) == FILES


async def test_a_file_changed_in_the_cache_is_fetched_again(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folder = await ModelFolders(store, cache).folder(an_artifact(model_ref))
    (folder / "model.safetensors").write_bytes(b"WEIGHTS")
    (folder / "config.json").write_bytes(b"{")
    (folder / ".manifest.json").write_bytes(b"")
    assert contents(await ModelFolders(store, cache).folder(an_artifact(model_ref))) == FILES


@pytest.mark.parametrize("damage", [b"WEIGHTS", b"wei", b""])
async def test_a_file_changed_in_the_store_is_refused_by_name(
    store: Store, cache: Path, model_ref: ContentRef, damage: bytes
) -> None:
    path_in_store(model_ref, b"weights").write_bytes(damage)
    with pytest.raises(FailedPrecondition, match=r"model\.safetensors of votes-1"):
        await ModelFolders(store, cache).folder(an_artifact(model_ref))


async def test_a_file_gone_from_the_store_is_refused_by_name(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    path_in_store(model_ref, b"a graph").unlink()
    with pytest.raises(
        FailedPrecondition, match=r"onnx/model\.onnx of votes-1 .* not in the store"
    ):
        await ModelFolders(store, cache).folder(an_artifact(model_ref))


async def test_a_manifest_with_another_digest_is_refused(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    other = an_artifact(model_ref, digest=digest_of(b"something else"))
    with pytest.raises(FailedPrecondition, match="the manifest of votes-1"):
        await ModelFolders(store, cache).folder(other)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "", ".", "a//b", "a\\b", ".manifest.json"]
)
async def test_a_manifest_cannot_name_a_file_outside_of_its_folder(
    store: Store, cache: Path, name: str
) -> None:
    file = await store.put(b"evil")
    files_listed = {name: {"digest": file.digest, "size_bytes": file.size_bytes}}
    manifest = await store.put(json.dumps({"files": files_listed}).encode())
    with pytest.raises(FailedPrecondition, match="does not list"):
        await ModelFolders(store, cache).folder(an_artifact(manifest))
    assert not list(cache.parent.rglob("*evil*"))


@pytest.mark.parametrize("content", [b"no json", b"[]", b"{}", b'{"files": {}}'])
async def test_what_is_no_manifest_is_refused(store: Store, cache: Path, content: bytes) -> None:
    ref = await store.put(content)
    with pytest.raises(FailedPrecondition):
        await ModelFolders(store, cache).folder(an_artifact(ref))


async def test_a_store_that_is_away_can_be_tried_again(
    store: Store, cache: Path, model_ref: ContentRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> bytes:
        raise Retryable("cannot read")

    with monkeypatch.context() as patched:
        patched.setattr(store, "get", fail)
        with pytest.raises(Retryable):
            await ModelFolders(store, cache).folder(an_artifact(model_ref))
    assert contents(await ModelFolders(store, cache).folder(an_artifact(model_ref))) == FILES


async def test_a_full_cache_can_be_tried_again_and_keeps_no_half_file(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    full = os.strerror(errno.ENOSPC)
    with failing("gyre_common.store.os.fdopen"), pytest.raises(Retryable, match=full):
        await ModelFolders(store, cache).folder(an_artifact(model_ref))
    assert not [path for path in cache.rglob("*") if path.is_file()]


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what ships with Gyre: a small stand-in, its digests known."""
    folder = a_folder(tmp_path / "models" / ENCODER_VERSION, FILES)
    digests = {"onnx/model.onnx": digest_of(b"a graph"), "config.json": digest_of(b"{}")}
    monkeypatch.setattr(model_folders, "SHIPPED_MODELS", folder.parent)
    encoder = replace(model_folders._SHIPPED[ENCODER_DIGEST], files=digests)
    monkeypatch.setattr(model_folders, "_SHIPPED", {ENCODER_DIGEST: encoder})
    return folder


SHIPPED = built_in_artifacts(MORNING)[Roles.QUERY_ENCODER]


async def test_the_shipped_version_is_where_setup_put_it(
    store: Store, cache: Path, shipped: Path
) -> None:
    assert await ModelFolders(store, cache).folder(SHIPPED) == shipped
    assert not cache.exists()


async def test_a_shipped_file_that_is_missing_or_another_is_refused_with_what_to_do(
    store: Store, cache: Path, shipped: Path
) -> None:
    (shipped / "config.json").write_bytes(b"[]")
    with pytest.raises(FailedPrecondition, match=r"config\.json is not that of .*make clean setup"):
        await ModelFolders(store, cache).folder(SHIPPED)
    (shipped / "config.json").unlink()
    with pytest.raises(FailedPrecondition, match=r"config\.json is missing: run `make setup`"):
        await ModelFolders(store, cache).folder(SHIPPED)


async def test_another_version_without_stored_files_is_refused(
    store: Store, cache: Path, model_ref: ContentRef, shipped: Path
) -> None:
    with pytest.raises(FailedPrecondition, match="names no stored files"):
        await ModelFolders(store, cache).folder(an_artifact(model_ref, uri=None))


async def test_folders_that_nothing_names_any_more_are_removed(
    tmp_path: Path, store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folders = ModelFolders(store, cache)
    other = await keep_model(store, a_folder(tmp_path / "other", {"config.json": b"[]"}))
    old = await folders.folder(an_artifact(model_ref))
    new = await folders.folder(an_artifact(other))
    await folders.keep_only([other.digest])
    assert not old.exists()
    assert contents(new) == {"config.json": b"[]"}
    assert [path.name for path in cache.iterdir()] == [new.name]
    assert contents(await folders.folder(an_artifact(model_ref))) == FILES


async def test_a_cache_within_another_is_not_removed_with_what_is_old(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    within = await ModelFolders(store, cache / "trainer").folder(an_artifact(model_ref))
    (cache / ".removed-before").mkdir()
    await ModelFolders(store, cache).keep_only([])
    assert contents(within) == FILES
    assert [path.name for path in cache.iterdir()] == ["trainer"]


async def test_a_folder_that_another_process_uses_is_not_removed(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    here, there = ModelFolders(store, cache), ModelFolders(store, cache)
    folder = await there.folder(an_artifact(model_ref))
    await here.keep_only([])
    assert contents(folder) == FILES
    await there.keep_only([])
    assert not folder.exists()


async def test_a_cache_that_cannot_be_written_keeps_what_it_has(
    store: Store, cache: Path, model_ref: ContentRef
) -> None:
    folders = ModelFolders(store, cache)
    folder = await folders.folder(an_artifact(model_ref))
    read_only = os.strerror(errno.EROFS)
    with failing("pathlib.Path.rename", errno.EROFS), pytest.raises(Retryable, match=read_only):
        await folders.keep_only([])
    assert contents(folder) == FILES


_FETCH = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from gyre_common.events.releases import Artifact
from gyre_common.model_folders import ModelFolders
from gyre_common.store import Store

artifact = Artifact.model_validate_json(sys.argv[3])
folders = ModelFolders(Store(sys.argv[1]), Path(sys.argv[2]))
print(asyncio.run(folders.folder(artifact)))
"""


async def test_two_processes_may_fetch_at_once(tmp_path: Path, store: Store, cache: Path) -> None:
    files = {**FILES, "model.safetensors": os.urandom(4_000_000)}
    ref = await keep_model(store, a_folder(tmp_path / "big", files))
    command = (sys.executable, "-c", _FETCH, f"file://{tmp_path}/store", str(cache))
    fetching = [
        subprocess.Popen(
            (*command, an_artifact(ref).model_dump_json()), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in fetching]
    assert outputs[0] == outputs[1]
    assert contents(Path(outputs[0])) == files
    assert len(list(Path(outputs[0]).rglob("*"))) == len(files) + 3, (
        "files, two folders, a manifest"
    )
