"""Encoders that tests make: real BERT folders, small enough to be made anew each time."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from gyre_common.events.releases import Roles
from gyre_common.model_folders import WEIGHTS, packaged
from gyre_common.releases.builtin import built_in_artifacts
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SHIPPED = packaged(built_in_artifacts(datetime(2026, 1, 1, tzinfo=UTC))[Roles.QUERY_ENCODER])
_WORDS, _PLACES, _WIDE = 30_522, 64, 64


def tiny_model(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """An untrained BERT of one layer with the shipped tokenizer."""
    folder.mkdir(parents=True)
    shutil.copy(SHIPPED / "tokenizer.json", folder)
    config = {
        "hidden_size": hidden,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": _PLACES}))
    write_weights(folder / WEIGHTS, _weights(np.random.default_rng(seed), hidden))
    return folder


def changed_model(folder: Path, *, by: float = 0.01, seed: int = 1) -> Path:
    """The shipped encoder with its last layer a little different: another version of it."""
    shutil.copytree(SHIPPED, folder, copy_function=shutil.copyfile)
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    first, last = header["encoder.layer.5.output.dense.weight"]["data_offsets"]
    weights = np.frombuffer(content, np.float32, (last - first) // 4, start + first)
    noise = np.random.default_rng(seed).normal(0, by, weights.shape)
    content[start + first : start + last] = (weights + noise).astype(np.float32).tobytes()
    path.write_bytes(content)
    return folder


def write_weights(path: Path, tensors: Mapping[str, Floats]) -> None:
    """As https://github.com/huggingface/safetensors#format says."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        offsets = [offset, offset + tensor.nbytes]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
        offset += tensor.nbytes
    described = json.dumps(header).encode()
    described += b" " * (-len(described) % 8)
    with path.open("wb") as file:
        file.write(len(described).to_bytes(8, "little") + described)
        for tensor in tensors.values():
            file.write(tensor.tobytes())


def _weights(dice: np.random.Generator, hidden: int) -> dict[str, Floats]:
    shapes = {
        "embeddings.word_embeddings": (_WORDS, hidden),
        "embeddings.position_embeddings": (_PLACES, hidden),
        "embeddings.token_type_embeddings": (2, hidden),
    }
    layer = "encoder.layer.0."
    dense = {
        **{f"{layer}attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")},
        f"{layer}attention.output.dense": (hidden, hidden),
        f"{layer}intermediate.dense": (_WIDE, hidden),
        f"{layer}output.dense": (hidden, _WIDE),
    }
    norms = (
        "embeddings.LayerNorm",
        f"{layer}attention.output.LayerNorm",
        f"{layer}output.LayerNorm",
    )
    made = {
        f"{name}.weight": dice.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in {**shapes, **dense}.items()
    }
    made |= {f"{name}.bias": np.zeros(shape[0], np.float32) for name, shape in dense.items()}
    made |= {f"{name}.weight": np.ones(hidden, np.float32) for name in norms}
    made |= {f"{name}.bias": np.zeros(hidden, np.float32) for name in norms}
    return made
