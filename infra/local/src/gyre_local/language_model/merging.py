"""A LoRA adapter is added to the weights of a GGUF file, since OpenVINO finds no layer of such a
graph by the names in an adapter, and leaves it out without an error (ADR 0023).

W' = W + scale * B A, Hu et al. 2021, arXiv:2106.09685, eq. 3.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gyre_common.gguf_files import (
    StoredTensor,
    in_8_bits,
    names_in_gguf,
    rewrite,
    rows_as_stored,
    unchanged,
)
from gyre_common.language_model_files import AdapterFiles, LanguageModelFiles

from gyre_local.language_model.errors import ApiError

_PREFIX, _A, _B = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def merge(model: LanguageModelFiles, adapter: AdapterFiles, into: Path) -> None:
    """Write a GGUF file: what the adapter changes in 8 bits, all else as it is.

    Raises ApiError, 400: the adapter is of another base, or changes what cannot be merged.
    ImportError: the engine's packages are missing.
    """
    import gguf
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    reader = gguf.GGUFReader(model.weights)
    try:
        tensors = load_file(adapter.weights)
    except (SafetensorError, KeyError, TypeError) as error:
        raise _refusal("its tensors are damaged, or neither F32 nor F16") from error
    changes = _changes(tensors, reader)

    def changed(tensor: Any) -> Iterator[StoredTensor]:
        if tensor.name not in changes:
            yield unchanged(tensor)
            return
        low, high = changes[tensor.name]
        delta = adapter.scale * (high.astype(np.float32) @ low.astype(np.float32))
        weights = gguf.dequantize(np.array(tensor.data), tensor.tensor_type).astype(np.float32)
        if delta.shape != weights.shape:
            raise _refusal(f"{tensor.name} is {weights.shape}, the adapter's {delta.shape}")
        yield in_8_bits(tensor.name, weights + rows_as_stored(reader, tensor.name, delta))

    rewrite(model.weights, into, changed)


def _changes(tensors: Mapping[str, Any], reader: Any) -> dict[str, tuple[Any, Any]]:
    """A and B by the name of the tensor in GGUF that they change."""
    layers = [name.removesuffix(_A) for name in tensors if name.endswith(_A)]
    places = {layer: f"{layer.removeprefix(_PREFIX)}.weight" for layer in layers}
    known = {tensor.name for tensor in reader.tensors}
    targets = names_in_gguf(reader, places.values())
    changes = {}
    for layer, place in places.items():
        target = targets[place]
        fits = layer.startswith(_PREFIX) and target in known and layer + _B in tensors
        if target is None or not fits:
            raise _refusal(f"{layer} is no layer of the base that can be merged")
        low, high = tensors[layer + _A], tensors[layer + _B]
        if low.ndim != 2 or high.ndim != 2 or high.shape[1] != low.shape[0]:
            raise _refusal(f"{layer} has A of {low.shape} and B of {high.shape}")
        changes[target] = (low, high)
    if 2 * len(changes) != len(tensors):
        raise _refusal(f"it holds more than LoRA's pairs, as {', '.join(sorted(tensors)[:2])}")
    return changes


def _refusal(problem: str) -> ApiError:
    return ApiError(
        400,
        f"the adapter does not fit its base: {problem}; train it on the weights it names",
        code="adapter_refused",
        param="lora_path",
    )
