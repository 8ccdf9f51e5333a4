"""Encoders of real files come and go under ONNX Runtime; what cannot serve changes nothing."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder.encoders import EncodedText, Encoders, Side, Vector
from gyre_embedder.onnx_encoder import OnnxModels

from tests.builders import a_release, an_artifact
from tests.models import GRAPH, TRAINED_BEFORE, tiny_model

TEXT = "How hot should the water be?"


@dataclass
class Room:
    """Encoders over a store in a folder, with one version live for documents and for queries."""

    folder: Path
    store: Store
    cache: Path
    releases: ReleaseView
    encoders: Encoders
    artifacts: tuple[Artifact, ...] = ()

    async def register(self, version: str, model: Path) -> Artifact:
        stored_model = await keep_model(self.store, model)
        artifact = an_artifact(
            version, digest=stored_model.digest, uri=stored_model.uri, fits="d", index="chunks-1"
        )
        self.artifacts = (*self.artifacts, artifact)
        return artifact

    async def promote(self, live: str, *before: str) -> None:
        generation = len(self.artifacts) + len(before)
        self.releases.apply(
            a_release(
                Roles.QUERY_ENCODER,
                live=live,
                history=before,
                artifacts=self.artifacts,
                generation=generation,
            )
        )
        await self.encoders.hold()

    async def encode(self, version: str) -> Vector:
        async with self.encoders.use(Side.QUERY, version) as encoder:
            (encoded,) = await encoder.encode([TEXT], Side.QUERY)
            return encoded.vector


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    store, releases, cache = Store(f"file://{tmp_path}/store"), ReleaseView(), tmp_path / "cache"
    models = OnnxModels(ModelFolders(store, cache), threads=1)
    async with Encoders(models, releases, most_bytes=10**9) as encoders:
        room = Room(tmp_path, store, cache, releases, encoders)
        first = await room.register("d", tiny_model(tmp_path / "d"))
        releases.apply(a_release(Roles.DOCUMENT_ENCODER, live="d", artifacts=(first,)))
        await room.promote("d")
        yield room


async def test_a_version_from_the_store_serves_beside_the_one_before(room: Room) -> None:
    before = await room.encode("d")
    await room.register("q-2", tiny_model(room.folder / "q-2", seed=2))
    await room.promote("q-2", "d")
    assert abs(float(before @ await room.encode("q-2"))) < 0.9
    assert np.array_equal(await room.encode("d"), before)


async def test_a_version_that_was_trained_before_the_ecosystems_shape_serves(room: Room) -> None:
    """Its graph has inputs of other names and pools by itself; its vectors are the same."""
    before = tiny_model(room.folder / "before", inputs=TRAINED_BEFORE)
    await room.register("before", before)
    await room.promote("before", "d")
    assert np.allclose(await room.encode("before"), await room.encode("d"), atol=1e-6)


async def test_requests_under_way_end_on_the_encoder_that_they_began_with(room: Room) -> None:
    expected = await room.encode("d")

    async def encode_many() -> list[EncodedText]:
        async with room.encoders.use(Side.QUERY, "d") as old:
            started.set()
            return await old.encode([TEXT] * 200, Side.QUERY)

    started = asyncio.Event()
    request = asyncio.create_task(encode_many())
    await started.wait()
    for number in (2, 3):
        await room.register(f"q-{number}", tiny_model(room.folder / f"q-{number}", seed=number))
    await room.promote("q-2", "d")
    await room.promote("q-3", "q-2", "d")
    assert all(np.allclose(each.vector, expected, atol=1e-6) for each in await request)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def holding(name: str, content: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(content)

    return change


def with_model(**model: Any) -> Callable[[Path], None]:
    """The graph of another tiny model."""

    def change(folder: Path) -> None:
        other = tiny_model(folder.parent / "other", **model)
        shutil.copyfile(other / GRAPH, folder / GRAPH)

    return change


@pytest.mark.parametrize(
    "broken",
    [
        without("tokenizer.json"),
        without(GRAPH),
        holding("tokenizer.json", "{"),
        holding("modules.json", "no json"),
        holding("1_Pooling/config.json", '{"pooling_mode": "max"}'),
        holding("sentence_bert_config.json", "{}"),
        holding(GRAPH, ""),
        holding(GRAPH, "short"),
        holding(GRAPH, "\x7f" * 64),
        with_model(inputs=("input_ids", "attention_mask", "pixels")),
        with_model(weights=np.zeros((30_522, 32), np.float32)),
        with_model(weights=np.full((30_522, 32), np.nan, np.float32)),
        with_model(weights=np.ones((4, 32), np.float32)),
    ],
    ids=lambda _: "",
)
async def test_a_folder_that_is_no_encoder_is_refused_and_live_stays(
    room: Room, broken: Callable[[Path], None]
) -> None:
    folder = tiny_model(room.folder / "broken", seed=9)
    broken(folder)
    await room.register("broken", folder)
    await room.promote("broken", "d")
    with pytest.raises(FailedPrecondition, match="broken cannot be served here"):
        await room.encode("broken")
    await room.encode("d")


async def test_a_version_whose_files_were_changed_in_the_store_is_refused_by_name(
    room: Room,
) -> None:
    artifact = await room.register("q-2", tiny_model(room.folder / "q-2", seed=2))
    assert artifact.uri is not None
    manifest = json.loads(Path(artifact.uri.removeprefix("file://")).read_text())
    digest = manifest["files"][GRAPH]["digest"]
    stored = Path(room.store.uri(digest).removeprefix("file://"))
    stored.write_bytes(stored.read_bytes()[:-1] + b"\1")
    await room.promote("d")
    with pytest.raises(FailedPrecondition, match=r"onnx/model\.onnx of q-2"):
        await room.encode("q-2")


async def test_an_encoder_of_another_size_than_the_index_is_refused(room: Room) -> None:
    await room.register("wide", tiny_model(room.folder / "wide", hidden=64))
    await room.promote("wide", "d")
    with pytest.raises(FailedPrecondition, match="vectors of 64 numbers, but the index of d"):
        await room.encode("wide")


async def test_the_disk_keeps_only_what_is_held(room: Room) -> None:
    for number in range(2, 6):
        await room.register(f"q-{number}", tiny_model(room.folder / f"q-{number}", seed=number))
    for number in range(3, 6):
        await room.promote(f"q-{number}", f"q-{number - 1}", *["d"] * number)
    expected_digests = {
        artifact.digest for artifact in room.artifacts if artifact.version in ("d", "q-4", "q-5")
    }
    assert {f"sha256:{folder.name}" for folder in room.cache.iterdir()} == expected_digests
