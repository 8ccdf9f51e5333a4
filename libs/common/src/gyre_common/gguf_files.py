"""Writes a GGUF file anew with other weights. Needs the package gguf, as its callers install it.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Whose weights are in a GGUF file as they are in safetensors, but for the order of some rows."""

_ARCHITECTURE = "general.architecture"

StoredTensor = tuple[str, Any, Any]
"""Name, data as they are stored, and gguf's `GGMLQuantizationType`."""

Change = Callable[[Any], Iterable[StoredTensor]]
"""What stands in the place of a tensor, which comes as gguf's `ReaderTensor`."""


def rewrite(
    source: Path, into: Path, change: Change, fields: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Write all fields but these as they are, and what `change` makes of each tensor. Raises
    ImportError, OSError, and what `change` raises.
    """
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(into, architecture(reader))
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != _ARCHITECTURE:
            of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            value = fields.get(field.name) or field.contents()
            writer.add_key_value(field.name, value, field.types[0], sub_type=of)
    for tensor in reader.tensors:
        for name, data, kind in change(tensor):
            writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def unchanged(tensor: Any) -> StoredTensor:
    """As it is."""
    return tensor.name, tensor.data, tensor.tensor_type


def in_8_bits(name: str, weights: Any) -> StoredTensor:
    """A matrix so, where its rows are whole blocks; vectors in single precision."""
    import gguf

    kinds = gguf.GGMLQuantizationType
    block, _ = gguf.GGML_QUANT_SIZES[kinds.Q8_0]
    whole_blocks = kinds.Q8_0 if weights.shape[-1] % block == 0 else kinds.F16
    kind = kinds.F32 if weights.ndim < 2 else whole_blocks
    return name, gguf.quantize(weights, kind), kind


def architecture(reader: Any) -> str:
    """As the file names it."""
    return str(reader.fields[_ARCHITECTURE].contents())


def names_in_gguf(reader: Any, names: Iterable[str]) -> dict[str, str | None]:
    """By the names that transformers gives tensors, `model.layers.0.…weight`; None for what has
    none.
    """
    import gguf

    own = architecture(reader)
    kind = next(each for each, name in gguf.MODEL_ARCH_NAMES.items() if name == own)
    blocks = int(reader.fields[f"{own}.block_count"].contents())
    known = gguf.get_tensor_name_map(kind, blocks)
    return {name: known.get_name(name, try_suffixes=(".weight", ".bias")) for name in names}


def rows_as_stored(reader: Any, name: str, weights: Any) -> Any:
    """In the order of rows that GGUF has for rotary embeddings (`permute` in
    https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py); `name` is GGUF's.
    """
    counts = {"attn_q": "head_count", "attn_k": "head_count_kv"}
    own, count = architecture(reader), counts.get(name.split(".")[-2])
    if own != "llama" or count is None:
        return weights
    heads = int(reader.fields[f"{own}.attention.{count}"].contents())
    rows, *rest = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, *rest).swapaxes(1, 2).reshape(rows, *rest)
