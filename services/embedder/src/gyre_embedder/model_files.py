"""An encoder's files, and how its weights are read without copying them."""

import json
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gyre_common.model_folders import WEIGHTS

from gyre_embedder.bert_graph import BertShape, Weights

TOKENIZER, CONFIG, WINDOW = "tokenizer.json", "config.json", "sentence_bert_config.json"
NEEDED = (WEIGHTS, TOKENIZER, CONFIG, WINDOW)
"""What an encoder is made of; a folder may hold more."""


@dataclass(frozen=True)
class ModelFiles:
    """A folder in the layout that sentence-transformers saves."""

    folder: Path

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's own description."""
        return self.folder / TOKENIZER

    def shape(self) -> BertShape:
        """The network's sizes, from config.json."""
        config = json.loads((self.folder / CONFIG).read_text())
        return BertShape(
            hidden=config["hidden_size"],
            heads=config["num_attention_heads"],
            layers=config["num_hidden_layers"],
            epsilon=config["layer_norm_eps"],
        )

    def window(self) -> int:
        """The most tokens that a text may have."""
        config = json.loads((self.folder / WINDOW).read_text())
        return int(config["max_seq_length"])

    @contextmanager
    def weights(self) -> Iterator[Weights]:
        """The float32 tensors by name, mapped from the file: pages are read when they are used.

        They stay valid after the block, at whose end the memory that they took is given back; what
        is used again is read again.
        Format: https://github.com/huggingface/safetensors#format (a length, a JSON header, bytes).
        """
        with (self.folder / WEIGHTS).open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        (length,) = struct.unpack_from("<Q", data)
        start = 8 + length
        tensors = {}
        for name, tensor in json.loads(data[8:start]).items():
            if tensor.get("dtype") == "F32":
                first, last = tensor["data_offsets"]
                flat = np.frombuffer(data, np.float32, (last - first) // 4, start + first)
                tensors[name] = flat.reshape(tensor["shape"])
        try:
            yield tensors
        finally:
            if hasattr(mmap, "MADV_DONTNEED"):
                data.madvise(mmap.MADV_DONTNEED)
