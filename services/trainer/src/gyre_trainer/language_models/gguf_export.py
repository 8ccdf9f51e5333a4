"""A whole model that was trained from a GGUF file becomes one: what serves the base serves it."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gyre_common.errors import FailedPrecondition
from gyre_common.gguf_files import (
    ARCHITECTURES,
    StoredTensor,
    architecture,
    in_8_bits,
    names_in_gguf,
    rewrite,
    rows_as_stored,
    unchanged,
)
from safetensors import safe_open


def gguf_of(base: Path) -> Path | None:
    """The base's GGUF file, where its trained weights can be written as one."""
    files = sorted(base.glob("*.gguf"))
    if not files or architecture(gguf.GGUFReader(files[0])) not in ARCHITECTURES:
        return None
    return files[0]


def write_gguf(learned: Path, base: Path, into: Path) -> None:
    """The base's file with the weights in `learned`, safetensors as transformers names them:
    matrices in 8 bits. Raises OSError, and FailedPrecondition where it lacks the place of one.
    """
    reader = gguf.GGUFReader(base)
    known = {tensor.name for tensor in reader.tensors}
    files: dict[str, Path] = {}
    for path in sorted(learned.glob("*.safetensors")):
        with safe_open(path, framework="np") as opened:
            files |= dict.fromkeys(opened.keys(), path)
    places = names_in_gguf(reader, files)
    if strangers := sorted(name for name, place in places.items() if place not in known):
        raise FailedPrecondition(
            f"{strangers[0]} has no place in {base.name}: train the variant low-rank, or from "
            "safetensors"
        )
    names = {place: name for name, place in places.items()}

    def changed(tensor: gguf.ReaderTensor) -> Iterator[StoredTensor]:
        if tensor.name not in names:
            yield unchanged(tensor)
            return
        name = names[tensor.name]
        with safe_open(files[name], framework="np") as opened:
            weights = opened.get_tensor(name).astype(np.float32)
        yield in_8_bits(tensor.name, rows_as_stored(reader, tensor.name, weights))

    rewrite(base, into, changed)
