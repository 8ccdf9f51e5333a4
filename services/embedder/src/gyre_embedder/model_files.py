"""Where an encoder's files lie, and how its weights are read without copying them."""

import hashlib
import json
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact

from gyre_embedder.bert_graph import BertShape, Weights

WEIGHTS = "model.safetensors"
_PACKAGE = "package"


@dataclass(frozen=True)
class ModelFiles:
    """A folder in the layout that sentence-transformers saves."""

    folder: Path

    @property
    def tokenizer(self) -> Path:
        """The tokenizer's own description."""
        return self.folder / "tokenizer.json"

    def shape(self) -> BertShape:
        """The network's sizes, from config.json."""
        config = json.loads((self.folder / "config.json").read_text())
        return BertShape(
            hidden=config["hidden_size"],
            heads=config["num_attention_heads"],
            layers=config["num_hidden_layers"],
            epsilon=config["layer_norm_eps"],
        )

    def window(self) -> int:
        """The most tokens that a text may have."""
        config = json.loads((self.folder / "sentence_bert_config.json").read_text())
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


def find_model(artifact: Artifact) -> ModelFiles:
    """The files of an encoder's version, checked against its digest.

    Raises:
        FailedPrecondition: this process has no such weights.
    """
    package = artifact.settings.get(_PACKAGE)
    if package is None:
        raise FailedPrecondition(
            f"encoder {artifact.version} names no package of weights: register it with one"
        )
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FailedPrecondition(
            f"encoder {artifact.version} needs the package {package}: install it here"
        )
    files = ModelFiles(Path(spec.submodule_search_locations[0]) / "model")
    found = _digest(files.folder / WEIGHTS)
    if found != artifact.digest:
        raise FailedPrecondition(
            f"encoder {artifact.version} should be {artifact.digest} but {package} holds {found}: "
            "install the package's version that was registered"
        )
    return files


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
