"""A sentence encoder on ONNX Runtime."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import onnxruntime
from gyre_common.telemetry import METRICS
from tokenizers import Encoding, Tokenizer

from gyre_embedder.bert_graph import INPUTS, OUTPUT, build_graph
from gyre_embedder.encoder import Encoded, Side, Vector
from gyre_embedder.micro_batches import micro_batches
from gyre_embedder.model_files import ModelFiles

T = TypeVar("T")

# Past this a batch only takes longer and holds more memory: throughput is flat from about 400
# tokens on (ADR 0004).
TOKEN_BUDGET = 512
# No window is filled by less text than this, and tokenizing more of it would be for nothing.
_MOST_CHARACTERS = 16_384


class OnnxEncoder:
    """Implements `Encoder`. Each side has a thread of its own, so that a query shares the cores
    with a long row of passages instead of standing behind it; passages of several callers take
    turns, a micro-batch each.
    """

    def __init__(self, files: ModelFiles, *, threads: int) -> None:
        """Read the model and compile it; takes a few tenths of a second, so call it in a thread."""
        shape = files.shape()
        self.dimensions = shape.hidden
        self._tokenizer = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(files.window())
        self._session, self._borrowed = _compile(files, threads)
        self._lanes = {
            side: ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"encode-{side}")
            for side in Side
        }

    async def encode(self, texts: Sequence[str], side: Side) -> list[Encoded]:
        """See `Encoder`."""
        tokens: list[Encoding] = await self._in_lane(side, partial(self._tokenize, texts))
        encoded: dict[int, Encoded] = {}
        lengths = [len(each.ids) for each in tokens]
        for batch in micro_batches(lengths, token_budget=TOKEN_BUDGET):
            chosen = [tokens[position] for position in batch]
            vectors = await self._in_lane(side, partial(self._run, chosen))
            for position, each, vector in zip(batch, chosen, vectors, strict=True):
                truncated = bool(each.overflowing) or len(texts[position]) > _MOST_CHARACTERS
                encoded[position] = Encoded(vector, len(each.ids), truncated)
            METRICS.texts_encoded.labels(side).inc(len(batch))
        return [encoded[position] for position in range(len(texts))]

    async def _in_lane(self, side: Side, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._lanes[side], work)

    def _tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        return self._tokenizer.encode_batch([text[:_MOST_CHARACTERS] for text in texts])

    def _run(self, tokens: Sequence[Encoding]) -> Vector:
        longest = max(len(each.ids) for each in tokens)
        ids = np.zeros((len(tokens), longest), np.int32)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each.ids)] = each.ids
            mask[row, : len(each.ids)] = 1
        vectors: Vector = self._session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))[
            0
        ]
        return vectors


def _compile(
    files: ModelFiles, threads: int
) -> tuple[onnxruntime.InferenceSession, list[onnxruntime.OrtValue]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # patterns are kept per shape, and every batch has its own
    with files.weights() as weights:
        graph = build_graph(weights, files.shape())
        values = [
            onnxruntime.OrtValue.ortvalue_from_numpy(each) for each in graph.borrowed.values()
        ]
        # The session reads these where they lie, so they must live as long as it does.
        options.add_external_initializers(list(graph.borrowed), values)
        session = onnxruntime.InferenceSession(
            graph.model, options, providers=["CPUExecutionProvider"]
        )
    return session, values
