"""The base with a soft prompt in it, as files: an engine sees weights and a chat template."""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gyre_common.gguf_files import StoredTensor, rewrite, unchanged
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
    names = {tensor.name for tensor in gguf.GGUFReader(base).tensors}

    def changed(tensor: gguf.ReaderTensor) -> Iterator[StoredTensor]:
        if tensor.name != _EMBEDDINGS:
            yield unchanged(tensor)
            return
        yield _EMBEDDINGS, *_with_rows(np.array(tensor.data), tensor.tensor_type, soft)
        if _OUTPUT not in names:
            yield _OUTPUT, tensor.data, tensor.tensor_type

    rewrite(base, into, changed, {_TEMPLATE: template})


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
