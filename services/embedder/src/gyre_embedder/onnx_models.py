"""Encoders from model folders, run by ONNX Runtime."""

import asyncio
from collections.abc import Collection
from functools import partial
from pathlib import Path

from gyre_common.events.releases import Artifact
from gyre_common.held import Loadable
from gyre_common.model_folders import ModelFolders

from gyre_embedder.encoder import Encoder
from gyre_embedder.encoder_folder import SERVED, read_encoder_folder
from gyre_embedder.onnx_encoder import OnnxEncoder


class OnnxModels:
    """Implements `ModelSource`."""

    def __init__(self, folders: ModelFolders, *, threads: int) -> None:
        self._folders = folders
        self._threads = threads

    async def open(self, artifact: Artifact) -> Loadable[Encoder]:
        """See `ModelSource`. An encoder takes about as much as its files."""
        folder = await self._folders.folder(artifact, only=SERVED)
        return Loadable(_size(folder), partial(asyncio.to_thread, self._load, folder))

    def _load(self, folder: Path) -> Encoder:
        return OnnxEncoder(read_encoder_folder(folder), threads=self._threads)

    async def keep_only(self, digests: Collection[str]) -> None:
        """See `ModelSource`."""
        await self._folders.keep_only(digests)


def _size(folder: Path) -> int:
    served = (folder / name for name in SERVED)
    return sum(path.stat().st_size for path in served if path.is_file())
