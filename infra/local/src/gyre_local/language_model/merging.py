"""A LoRA adapter is added to the weights of a GGUF file, since OpenVINO finds no layer of such a
graph by the names in an adapter, and leaves it out without an error (ADR 0023).

W' = W + scale * B A, Hu et al. 2021, arXiv:2106.09685, eq. 3.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gyre_common.language_model_files import AdapterFiles, LanguageModelFiles

from gyre_local.language_model.errors import ApiError

_LAYERS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_PREFIX, _A, _B = "base_model.model.model.layers.", ".lora_A.weight", ".lora_B.weight"


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
    known = {tensor.name for tensor in reader.tensors}
    try:
        tensors = load_file(adapter.weights)
    except (SafetensorError, KeyError, TypeError) as error:
        raise _refusal("its tensors are damaged, or neither F32 nor F16") from error
    changes = _changes(adapter, tensors, known)
    writer = gguf.GGUFWriter(into, model.architecture)
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=of)
    heads = _heads(reader, model.architecture)
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        if tensor.name in changes:
            low, high = changes[tensor.name]
            delta = adapter.scale * (high.astype(np.float32) @ low.astype(np.float32))
            weights = gguf.dequantize(np.array(data), kind).astype(np.float32)
            if delta.shape != weights.shape:
                raise _refusal(f"{tensor.name} is {weights.shape}, the adapter's {delta.shape}")
            delta = _as_stored(delta, heads.get(tensor.name.split(".")[2], 0))
            kind = gguf.GGMLQuantizationType.Q8_0
            data = gguf.quantize(weights + delta, kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _changes(
    adapter: AdapterFiles, tensors: Mapping[str, Any], known: set[str]
) -> dict[str, tuple[Any, Any]]:
    """A and B by the name of the tensor in GGUF that they change."""
    changes = {}
    for name, low in tensors.items():
        if not name.endswith(_A):
            continue
        layer = name.removesuffix(_A)
        number, _, place = layer.removeprefix(_PREFIX).partition(".")
        target = f"blk.{number}.{_LAYERS.get(place, '')}.weight"
        if not layer.startswith(_PREFIX) or target not in known or layer + _B not in tensors:
            raise _refusal(f"{layer} is no layer of the base that can be merged")
        high = tensors[layer + _B]
        if low.ndim != 2 or high.ndim != 2 or high.shape[1] != low.shape[0]:
            raise _refusal(f"{layer} has A of {low.shape} and B of {high.shape}")
        changes[target] = (low, high)
    if 2 * len(changes) != len(tensors):
        raise _refusal(f"it holds more than LoRA's pairs, as {', '.join(sorted(tensors)[:2])}")
    return changes


def _heads(reader: Any, architecture: str) -> dict[str, int]:
    """How many heads there are, by the tensors whose rows llama.cpp's converter reorders."""
    if architecture != "llama":
        return {}
    fields = {
        "attn_q": f"{architecture}.attention.head_count",
        "attn_k": f"{architecture}.attention.head_count_kv",
    }
    return {name: int(reader.fields[field].contents()) for name, field in fields.items()}


def _as_stored(delta: Any, heads: int) -> Any:
    """In the order of rows that GGUF has for rotary embeddings (`permute` in
    https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py).
    """
    if not heads:
        return delta
    rows, columns = delta.shape
    return (
        delta.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def _refusal(problem: str) -> ApiError:
    return ApiError(
        400,
        f"the adapter does not fit its base: {problem}; train it on the weights it names",
        code="adapter_refused",
        param="lora_path",
    )
