"""Sentence encoders from model folders, on ONNX Runtime."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.held import Loadable, trim_memory
from gyre_common.model_folders import ModelFolders
from gyre_common.telemetry import METRICS
from gyre_common.turns import Piecewise, Turns
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from gyre_embedder.at_once import at_once
from gyre_embedder.encoder_folder import (
    GRAPH,
    SERVED,
    TOKENIZER,
    EncoderFolder,
    Pooling,
    read_encoder_folder,
)
from gyre_embedder.encoders import EncodedText, Encoder, Side, Vector

Floats = NDArray[np.float32]

# Past this a batch only takes longer and holds more memory: throughput is flat from about 400
# tokens on (ADR 0004).
TOKEN_BUDGET = 512
# No window is filled by less text than this, and tokenizing more of it would be for nothing.
_MOST_CHARACTERS = 16_384
_TOKENIZED_TOGETHER = 16

# The second names are those of encoders that were trained here before ADR 0016.
_IDS, _MASK, _SEGMENTS = ("input_ids", "token_ids"), ("attention_mask", "mask"), "token_type_ids"
_PER_TOKEN, _PER_TEXT = 3, 2
"""Dimensions of an output: (texts, tokens, d), still to be pooled, or (texts, d)."""


class OnnxModels:
    """Implements `ModelSource`."""

    def __init__(self, folders: ModelFolders, *, threads: int) -> None:
        self._folders = folders
        self._threads = threads
        self.keep_only = folders.keep_only

    async def open(self, artifact: Artifact) -> Loadable[Encoder]:
        """See `ModelSource`. An encoder takes about as much as its files."""
        folder = await self._folders.folder(artifact, only=SERVED)
        files = [folder / name for name in SERVED if (folder / name).is_file()]

        def load() -> Encoder:
            return OnnxEncoder(read_encoder_folder(folder), threads=self._threads)

        size_bytes = sum(file.stat().st_size for file in files)
        return Loadable(size_bytes, partial(asyncio.to_thread, load))


class OnnxEncoder:
    """Implements `Encoder`. A micro-batch takes one thread, and each side has threads of its own,
    so that a query shares the cores with a long row of passages instead of standing behind it; on
    each side callers take turns, a micro-batch a thread each (ADR 0004).
    """

    def __init__(self, folder: EncoderFolder, *, threads: int) -> None:
        """Read the model and compile it; takes a few tenths of a second, so call it in a thread.

        Raises FailedPrecondition: the graph wants other inputs, or gives nothing that can be
        pooled.
        """
        self._folder = folder
        self._tokenizer = Tokenizer.from_file(str(folder.path / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(folder.longest)
        self._session = _compile(folder)
        self._inputs = _inputs(self._session.get_inputs())
        self._output, self._is_pooled = _output(self._session.get_outputs())
        self.dimensions = self._run([self._tokenizer.encode("")]).shape[1]
        self._threads = {Side.QUERY: 1, Side.DOCUMENT: threads}
        self._turns = {
            side: Turns(f"encode-{side}", places=places) for side, places in self._threads.items()
        }

    async def encode(self, texts: Sequence[str], side: Side) -> list[EncodedText]:
        """See `Encoder`."""
        async with self._turns[side].call(sum(map(len, texts))) as call:
            return await self._encode(texts, side, call)

    async def _encode(self, texts: Sequence[str], side: Side, call: Piecewise) -> list[EncodedText]:
        tokens: list[Encoding] = []
        for start in range(0, len(texts), _TOKENIZED_TOGETHER):
            piece = texts[start : start + _TOKENIZED_TOGETHER]
            tokens += await call.do(partial(self._tokenize, piece, side))
        encoded: dict[int, EncodedText] = {}
        lengths = [len(each.ids) for each in tokens]
        batches = micro_batches(lengths, token_budget=TOKEN_BUDGET)

        async def encode_batches() -> None:
            for batch in batches:
                chosen = [tokens[position] for position in batch]
                vectors = await call.do(partial(self._run, chosen))
                for position, each, vector in zip(batch, chosen, vectors, strict=True):
                    truncated = bool(each.overflowing) or len(texts[position]) > _MOST_CHARACTERS
                    encoded[position] = EncodedText(vector, len(each.ids), truncated)
                METRICS.texts_encoded.labels(side).inc(len(batch))

        await at_once(self._threads[side], encode_batches)
        return [encoded[position] for position in range(len(texts))]

    def close(self) -> None:
        """See `Encoder`."""
        for turns in self._turns.values():
            turns.close()
        del self._session
        trim_memory()

    def _tokenize(self, texts: Sequence[str], side: Side) -> list[Encoding]:
        prompt = self._folder.prompts[side]
        prompted_texts = [prompt + text[:_MOST_CHARACTERS] for text in texts]
        if self._folder.lower_case:
            prompted_texts = [text.lower() for text in prompted_texts]
        return self._tokenizer.encode_batch(prompted_texts)

    def _run(self, tokens: Sequence[Encoding]) -> Vector:
        longest = max(len(each.ids) for each in tokens)
        ids = np.full((len(tokens), longest), self._folder.pad_id, np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each.ids)] = each.ids
            mask[row, : len(each.ids)] = 1
        arrays = {**dict.fromkeys(_IDS, ids), **dict.fromkeys(_MASK, mask)}
        arrays[_SEGMENTS] = np.zeros_like(ids)
        inputs = {name: arrays[name].astype(kind) for name, kind in self._inputs.items()}
        (output,) = self._session.run([self._output], inputs)
        return _unit(output if self._is_pooled else self._pool(output, mask))

    def _pool(self, hidden: Floats, mask: NDArray[np.int64]) -> Floats:
        """Up to a factor, which `_unit` takes out."""
        if self._folder.pooling is Pooling.CLS:
            return hidden[:, 0]
        pooled: Floats = (mask[:, np.newaxis].astype(np.float32) @ hidden)[:, 0]
        return pooled


def micro_batches(lengths: Sequence[int], *, token_budget: int) -> Iterator[list[int]]:
    """Positions of `lengths`, shortest texts first, in batches of at most `token_budget` tokens.

    A batch's cost is its longest text times its size. A text longer than the budget stands alone.
    """
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[position] * (len(batch) + 1) > token_budget:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch


def _unit(vectors: Floats) -> Floats:
    with np.errstate(invalid="ignore"):  # a vector of length 0 becomes NaN, which is refused later
        unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _output(outputs: Sequence[Any]) -> tuple[str, bool]:
    """The name of the output to take, and whether it is pooled already."""
    for dimensions in (_PER_TOKEN, _PER_TEXT):
        for each in outputs:
            if len(each.shape) == dimensions and each.type == "tensor(float)":
                return each.name, dimensions == _PER_TEXT
    raise FailedPrecondition(f"{GRAPH} gives no float32 vectors of tokens or texts")


def _inputs(inputs: Sequence[Any]) -> Mapping[str, type[np.signedinteger[Any]]]:
    """The names of the inputs, and the kind of number that each takes."""
    known = (*_IDS, *_MASK, _SEGMENTS)
    if unknown := [each.name for each in inputs if each.name not in known]:
        raise FailedPrecondition(f"{GRAPH} wants {', '.join(unknown)}, which is not served")
    return {each.name: np.int32 if each.type == "tensor(int32)" else np.int64 for each in inputs}


def _compile(folder: EncoderFolder) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several would wait for each other, spinning (ADR 0004)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # patterns are kept per shape, and every batch has its own
    return onnxruntime.InferenceSession(
        str(folder.path / GRAPH), options, providers=["CPUExecutionProvider"]
    )
