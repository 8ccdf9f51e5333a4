"""Folders of language models and adapters that hold just enough to be checked."""

import json
import struct
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
GGUF_FIELDS = {
    "general.architecture": "llama",
    "llama.context_length": 8192,
    "tokenizer.ggml.tokens": ["<s>", "a"],
    "tokenizer.chat_template": CHAT_TEMPLATE,
}


def a_gguf(folder: Path, **changes: Any) -> Path:
    """A model folder with one GGUF file of metadata; a field that is None is left out."""
    fields = {**GGUF_FIELDS, **changes}
    fields = {name: value for name, value in fields.items() if value is not None}
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields))
    for name, value in fields.items():
        data += _text(name) + _value(value)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.gguf").write_bytes(data)
    return folder


def with_tensors(folder: Path) -> Path:
    """The same with two tensors: four weights in single precision, 64 in 8 bits."""
    file = folder / "model.gguf"
    data = file.read_bytes()
    infos = _text("a") + struct.pack("<IQIQ", 1, 4, 0, 0)
    infos += _text("b") + struct.pack("<IQQIQ", 2, 32, 2, 8, 32)
    data = data[:8] + struct.pack("<Q", 2) + data[16:] + infos
    file.write_bytes(data + bytes(-len(data) % 32) + bytes(32 + 2 * 34))
    return folder


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    return struct.pack("<II", 4, value)


def safetensors(path: Path) -> None:
    """A file with one small tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))


def a_safetensors_model(folder: Path) -> Path:
    """A model folder as transformers saves one."""
    folder.mkdir(parents=True, exist_ok=True)
    safetensors(folder / "model.safetensors")
    config = {"model_type": "llama", "max_position_embeddings": 2048}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": CHAT_TEMPLATE}))
    return folder


def an_adapter(folder: Path, **changes: Any) -> Path:
    """An adapter as PEFT saves one."""
    config = {
        "peft_type": "LORA",
        "r": 16,
        "lora_alpha": 32,
        "base_model_name_or_path": "base",
        "target_modules": ["q_proj"],
        **changes,
    }
    folder.mkdir(parents=True, exist_ok=True)
    safetensors(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
