"""Reward models from model folders, on ONNX Runtime."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from gyre_common.errors import FailedPrecondition, GyreError
from gyre_common.events.releases import Artifact
from gyre_common.held import Loadable, trim_memory
from gyre_common.model_folders import ModelFolders
from gyre_common.reward_input import (
    FRAME,
    GRAPH,
    INPUT,
    LARGE,
    OUTPUT,
    TOKENIZER,
    read_frame,
    reward_tokens,
)
from gyre_common.turns import Turns
from tokenizers import Tokenizer

from gyre_judge.rewards import RewardModel

_SERVED = (GRAPH, LARGE, TOKENIZER, FRAME)


class OnnxRewards:
    """Implements `ModelSource`."""

    def __init__(self, folders: ModelFolders, *, threads: int) -> None:
        self._folders = folders
        self._threads = threads
        self.keep_only = folders.keep_only

    async def open(self, artifact: Artifact) -> Loadable[RewardModel]:
        """See `ModelSource`. A model takes about as much as its files."""
        folder = await self._folders.folder(artifact, only=_SERVED)
        for name in (GRAPH, TOKENIZER, FRAME):
            if not (folder / name).is_file():
                raise FailedPrecondition(f"it has no file {name}")
        files = [folder / name for name in _SERVED if (folder / name).is_file()]

        def load() -> RewardModel:
            return OnnxReward(folder, threads=self._threads)

        size_bytes = sum(file.stat().st_size for file in files)
        return Loadable(size_bytes, partial(asyncio.to_thread, load))


class OnnxReward:
    """Implements `RewardModel`. It has one thread, so that one text at a time is in memory; callers
    take turns.
    """

    def __init__(self, folder: Path, *, threads: int) -> None:
        """Read the model and compile it; takes seconds, so call it in a thread. Raises
        FailedPrecondition: a file is damaged.
        """
        self._frame = read_frame((folder / FRAME).read_bytes())
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # A special token's text is cut like any other: nobody's words can end an answer.
        self._tokenizer.encode_special_tokens = True
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # patterns are kept per shape: each text has its own
        options.enable_cpu_mem_arena = False  # else the longest text that was read stays in memory
        self._session = onnxruntime.InferenceSession(
            str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
        )
        self._turns = Turns("reward")

    async def reward(self, question: str, passages: Sequence[str], answer: str) -> float:
        """See `RewardModel`."""
        work = partial(self._reward, question, passages, answer)
        try:
            characters = sum(map(len, (question, *passages, answer)))
            async with self._turns.call(characters) as call:
                return await call.do(work)
        except GyreError:
            raise
        except Exception as error:
            # The runtime raises bare exceptions of many types, for whatever it cannot run.
            raise FailedPrecondition(f"the reward model cannot be run: {error}") from error

    def close(self) -> None:
        """See `RewardModel`."""
        self._turns.close()
        del self._session
        trim_memory()

    def _reward(self, question: str, passages: Sequence[str], answer: str) -> float:
        tokens = reward_tokens(
            self._encode, self._frame, question=question, passages=passages, answers=[answer]
        )
        (completion,) = tokens.completions
        ids = np.array([[*tokens.prompt, *completion]], np.int64)
        (reward,) = self._session.run([OUTPUT], {INPUT: ids})
        return float(reward[0, 0])

    def _encode(self, text: str) -> Sequence[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids
