"""The shipped language model with a soft prompt, on the local engine."""

from pathlib import Path

import gguf
import pytest
import torch
from gyre_common.language_model_files import read_language_model
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION
from gyre_local.language_model.engine import LanguageModel, Sampling
from gyre_local.language_model.openvino_engine import OpenVinoEngine
from gyre_local.language_model.requests import ChatMessage
from gyre_trainer.language_models.model import open_tokenizer
from gyre_trainer.recipes.generator_soft_prompt.serving import write_with
from gyre_trainer.recipes.generator_soft_prompt.soft_prompt import SoftPrompt, reserve_tokens

FOLDER = SHIPPED_MODELS / LANGUAGE_MODEL_VERSION
pytestmark = [
    pytest.mark.timeout(600),  # two models are loaded, and one core may be all there is
    pytest.mark.skipif(
        not (FOLDER / LANGUAGE_MODEL_FILE).is_file(), reason="needs `make setup-llm`"
    ),
]
MESSAGES = [ChatMessage(role="user", content="Why is the sky blue?")]
WORDS = "Always speak of cats."


def test_virtual_tokens_that_are_words_are_served_as_these_words(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(FOLDER)
    words = tokenizer(WORDS, add_special_tokens=False).input_ids
    virtual = reserve_tokens(tokenizer, len(words))
    embeddings = tensors(FOLDER / LANGUAGE_MODEL_FILE)["token_embd.weight"]
    rows = gguf.dequantize(embeddings.data[words], embeddings.tensor_type)
    write_with(SoftPrompt(virtual, torch.from_numpy(rows)), FOLDER, tmp_path)

    written = tensors(tmp_path / LANGUAGE_MODEL_FILE)
    assert (written["output.weight"].data == embeddings.data).all()
    changed = (written["token_embd.weight"].data != embeddings.data).any(axis=1).nonzero()[0]
    assert tuple(changed) == virtual

    with_words, plain = answers(FOLDER, words)
    served, _ = answers(tmp_path, [])
    assert served == with_words != plain


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def answers(folder: Path, before: list[int]) -> tuple[str, str]:
    """To a question, with these tokens before the prompt, and without."""
    model = OpenVinoEngine(threads=2).open(read_language_model(folder), None)
    try:
        prompt = model.chat_tokens(MESSAGES)
        return written_to(model, [*before, *prompt]), written_to(model, prompt)
    finally:
        model.close()


def written_to(model: LanguageModel, prompt: list[int]) -> str:
    pieces: list[str] = []
    model.generate(prompt, Sampling(max_tokens=16), lambda text: pieces.append(text) or True)  # type: ignore[func-returns-value]
    return "".join(pieces)
