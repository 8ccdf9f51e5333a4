"""Encoders from model folders, run by ONNX Runtime."""

import asyncio
import ctypes
from collections.abc import Collection
from pathlib import Path

import numpy as np
from gyre_common.errors import FailedPrecondition, GyreError
from gyre_common.events.releases import Artifact
from gyre_common.model_folders import ModelFolders

from gyre_embedder.encoder import Encoder, Side
from gyre_embedder.encoder_folder import SERVED, read_encoder_folder
from gyre_embedder.onnx_encoder import OnnxEncoder


class OnnxModels:
    """Implements `EncoderSource`."""

    def __init__(self, folders: ModelFolders, *, threads: int) -> None:
        self._folders = folders
        self._threads = threads

    async def load(self, artifact: Artifact) -> Encoder:
        """See `EncoderSource`."""
        try:
            folder = await self._folders.folder(artifact, only=SERVED)
            encoder = await asyncio.to_thread(self._open, folder)
            await _warm_up(encoder)
        except GyreError:
            raise
        except Exception as error:
            # The tokenizer and ONNX Runtime raise bare exceptions at files they cannot use, and a
            # version that cannot be used must not take down what serves.
            raise FailedPrecondition(
                f"{artifact.version} is no encoder that can be served: {error}"
            ) from error
        return encoder

    def _open(self, folder: Path) -> OnnxEncoder:
        return OnnxEncoder(read_encoder_folder(folder), threads=self._threads)

    async def keep_only(self, digests: Collection[str]) -> None:
        """See `EncoderSource`."""
        await self._folders.keep_only(digests)
        await asyncio.to_thread(_give_memory_back)


def _give_memory_back() -> None:
    """What encoders leave behind when they go: else the C library keeps a good half of it, for ever
    (https://man7.org/linux/man-pages/man3/malloc_trim.3.html; other libraries have no such call).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _warm_up(encoder: Encoder) -> None:
    for side in Side:
        (encoded,) = await encoder.encode(["warm up"], side)
        length = float(np.linalg.norm(encoded.vector))
        if not abs(length - 1) < 1e-3:
            raise FailedPrecondition(f"its vectors have a length of {length}, not 1")
