"""The base with a soft prompt in it, as files: an engine sees weights and a chat template."""

from pathlib import Path

import gguf
import numpy as np
from torch import nn

from gyre_trainer.language_models.model import open_base, open_tokenizer
from gyre_trainer.recipes.generator_soft_prompt.soft_prompt import SoftPrompt, reserve_tokens

_EMBEDDINGS, _OUTPUT, _TEMPLATE = "token_embd.weight", "output.weight", "tokenizer.chat_template"


def write_with(soft: SoftPrompt, base: Path, into: Path) -> None:
    """A GGUF file where the base is one, else safetensors with their tokenizer. Where the output
    layer shares the embeddings, it keeps those of the base as weights of its own. Raises OSError,
    and FailedPrecondition as `open_base` does.
    """
    into.mkdir(parents=True, exist_ok=True)
    tokenizer = open_tokenizer(base)
    reserve_tokens(tokenizer, len(soft.tokens))
    files = sorted(base.glob("*.gguf"))
    if files:
        _write_gguf(soft, files[0], into / files[0].name, template=str(tokenizer.chat_template))
        return
    network, _ = open_base(base)
    words = network.get_input_embeddings().weight.detach()
    rows = words.clone()
    rows[list(soft.tokens)] = soft.rows.to(rows.dtype)
    network.get_output_embeddings().weight = nn.Parameter(
        network.get_output_embeddings().weight.detach().clone()
    )
    network.set_input_embeddings(nn.Embedding.from_pretrained(rows))
    network.config.tie_word_embeddings = False
    network.save_pretrained(into)
    tokenizer.save_pretrained(into)


def _write_gguf(soft: SoftPrompt, base: Path, into: Path, *, template: str) -> None:
    reader = gguf.GGUFReader(base)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(into, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = template if field.name == _TEMPLATE else field.contents()
        of = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], sub_type=of)
    names = {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        if tensor.name != _EMBEDDINGS:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        data, kind = _with_rows(np.array(tensor.data), tensor.tensor_type, soft)
        writer.add_tensor(_EMBEDDINGS, data, raw_dtype=kind)
        if _OUTPUT not in names:
            writer.add_tensor(_OUTPUT, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _with_rows(
    data: np.ndarray, kind: gguf.GGMLQuantizationType, soft: SoftPrompt
) -> tuple[np.ndarray, gguf.GGMLQuantizationType]:
    """In the file's own type, where that can be written; else all of it in 8 bits."""
    rows = soft.rows.numpy().astype(np.float32)
    try:
        data[list(soft.tokens)] = gguf.quantize(rows, kind)
    except NotImplementedError:
        whole = gguf.dequantize(data, kind)
        whole[list(soft.tokens)] = rows
        kind = gguf.GGMLQuantizationType.Q8_0
        data = gguf.quantize(whole, kind)
    return data, kind
