"""Folders of language models: what they hold is read from their headers, and no weight is loaded.

GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, safetensors:
https://github.com/huggingface/safetensors#format.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from gyre_common.errors import FailedPrecondition

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

_PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5"})
_TOKENIZERS = ("tokenizer.json", "tokenizer.model")
_LARGEST_HEADER = 256 << 20
_MOST_PATHS = 10_000
_ALIGNMENT = 32
_MOST_DIMENSIONS = 4
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2),
}  # fmt: skip
"""Weights and bytes of a block, by ggml's number of the kind."""
_TEXT, _LIST = 8, 9
_NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip


@dataclass(frozen=True)
class LanguageModelFiles:
    """A folder that can be served: `weights` is its GGUF file, or its first safetensors file.

    `window` is how many tokens the model reads and writes at most.
    """

    folder: Path
    weights: Path
    architecture: str
    window: int
    size_bytes: int

    @property
    def is_gguf(self) -> bool:
        """Whether one file holds weights, tokenizer and chat template."""
        return self.weights.suffix == ".gguf"


@dataclass(frozen=True)
class AdapterFiles:
    """A folder as PEFT writes it. `base` is the model that it was trained on, by name, and
    `base_digest` by the digest of its files, where that is known (the trainer writes it). `scale`
    is what its product is multiplied with, `targets` the layers that it changes.
    """

    folder: Path
    base: str
    base_digest: str
    rank: int
    scale: float
    targets: tuple[str, ...]
    size_bytes: int

    @property
    def weights(self) -> Path:
        """Its tensors."""
        return self.folder / ADAPTER_WEIGHTS


def read_language_model(folder: Path) -> LanguageModelFiles:
    """The model in a folder. Raises FailedPrecondition, which says what is wrong and what to do."""
    files = _files_of(folder)
    gguf = [file for file in files if file.suffix == ".gguf"]
    tensors = [file for file in files if file.suffix == ".safetensors"]
    if bool(gguf) is bool(tensors) or len(gguf) > 1:
        names = ", ".join(file.name for file in (*gguf, *tensors)) or "none"
        _refuse(folder, f"it has {names}", "one GGUF file, or safetensors files, and not both")
    size_bytes = sum(file.stat().st_size for file in files)
    weights = (gguf or tensors)[0]
    read = _read_gguf if gguf else _read_safetensors
    architecture, window = read(folder, gguf or tensors)
    return LanguageModelFiles(folder, weights, architecture, window, size_bytes)


def read_adapter(folder: Path) -> AdapterFiles:
    """The adapter in a folder. Raises FailedPrecondition, which says what is wrong."""
    files = _files_of(folder)
    config = _json(folder, ADAPTER_CONFIG)
    _check_tensors(folder, folder / ADAPTER_WEIGHTS)
    kind, rank, alpha = config.get("peft_type"), config.get("r"), config.get("lora_alpha")
    if kind != "LORA":
        _refuse(folder, f"its peft_type is {kind}", "a LoRA adapter")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, (int, float)):
        _refuse(folder, f"r and lora_alpha are {rank} and {alpha}", "numbers for both")
    if config.get("use_dora"):
        _refuse(folder, "it was trained with use_dora", "plain LoRA")
    targets = config.get("target_modules") or []
    revision = str(config.get("revision") or "")
    return AdapterFiles(
        folder=folder,
        base=str(config.get("base_model_name_or_path") or ""),
        base_digest=revision if revision.startswith("sha256:") else "",
        rank=rank,
        scale=alpha / (rank**0.5 if config.get("use_rslora") else rank),
        targets=tuple(sorted([targets] if isinstance(targets, str) else map(str, targets))),
        size_bytes=sum(file.stat().st_size for file in files),
    )


def _files_of(folder: Path) -> list[Path]:
    try:
        paths = list(islice(folder.rglob("*"), _MOST_PATHS + 1))
        files = sorted(path for path in paths if path.is_file())
    except OSError as error:
        raise FailedPrecondition(f"{folder} cannot be read: {error.strerror}") from error
    if len(paths) > _MOST_PATHS:
        _refuse(folder, f"more than {_MOST_PATHS:,} files lie in it", "the model's own folder")
    if not files:
        raise FailedPrecondition(f"{folder} is not a folder with files: name the model's folder")
    for file in files:
        if file.suffix.lower() in _PICKLED:
            _refuse(folder, f"{file.name} may be a pickle, which can run code", "safetensors")
    return files


def _read_gguf(folder: Path, files: list[Path]) -> tuple[str, int]:
    fields = gguf_fields(files[0])
    architecture = str(fields.get("general.architecture", ""))
    window = fields.get(f"{architecture}.context_length")
    if not architecture or not isinstance(window, int) or window < 1:
        _refuse(folder, "it names no architecture or no context length", "a GGUF of a chat model")
    if not fields.get("tokenizer.ggml.tokens"):
        _refuse(folder, "it has no tokenizer", "a GGUF file with tokenizer.ggml.tokens")
    if not fields.get("tokenizer.chat_template"):
        _refuse(folder, "it has no chat template", "an instruct model's GGUF file")
    return architecture, window


def gguf_fields(path: Path) -> Mapping[str, Any]:
    """The metadata of a GGUF file whose tensors are all there; of lists only how long they are.
    Raises FailedPrecondition.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                _refuse(path.parent, f"{path.name} does not begin as GGUF does", "a whole file")
            version, tensors, count = struct.unpack("<IQQ", file.read(20))
            if version not in (2, 3):
                _refuse(path.parent, f"{path.name} is GGUF version {version}", "version 3")
            fields = {_gguf_text(file): _gguf_value(file) for _ in range(count)}
            ends = [_gguf_tensor_end(file) for _ in range(tensors)]
            alignment = int(fields.get("general.alignment", _ALIGNMENT))
            begin = -(-file.tell() // alignment) * alignment
            if ends and begin + max(ends) > path.stat().st_size:
                raise ValueError(max(ends))
            return fields
    except (ArithmeticError, MemoryError, RecursionError, ValueError, struct.error) as error:
        raise FailedPrecondition(f"{path} is cut off or damaged: copy it again") from error
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error


def _gguf_tensor_end(file: BinaryIO) -> int:
    """The byte behind a tensor's last, of those of all tensors; of its first, where its kind is
    not known here.
    """
    _gguf_text(file)
    (dimensions,) = struct.unpack("<I", file.read(4))
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError(dimensions)
    *shape, kind, offset = struct.unpack(f"<{dimensions}QIQ", file.read(8 * dimensions + 12))
    weights, size = _BLOCKS.get(kind, (math.prod(shape), 1))
    end: int = offset + math.prod(shape) // weights * size
    return end


def _gguf_text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LARGEST_HEADER:
        raise ValueError(length)
    data = file.read(length)
    if len(data) < length:
        raise ValueError(length)
    return data.decode(errors="replace")


def _gguf_value(file: BinaryIO, kind: int | None = None) -> Any:
    if kind is None:
        (kind,) = struct.unpack("<I", file.read(4))
    if kind == _TEXT:
        return _gguf_text(file)
    if kind == _LIST:
        of, length = struct.unpack("<IQ", file.read(12))
        if of in _NUMBERS:
            file.seek(length * struct.calcsize(_NUMBERS[of]), 1)
        else:
            for _ in range(length):
                _gguf_value(file, of)
        return length
    layout = _NUMBERS[kind] if kind in _NUMBERS else _unknown(kind)
    (number,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    return number


def _unknown(kind: int) -> NoReturn:
    raise ValueError(kind)


def _read_safetensors(folder: Path, files: list[Path]) -> tuple[str, int]:
    config = _json(folder, "config.json")
    architecture, window = config.get("model_type"), config.get("max_position_embeddings")
    if not isinstance(architecture, str) or not isinstance(window, int) or window < 1:
        _refuse(
            folder,
            f"config.json has model_type {architecture}, max_position_embeddings {window}",
            "both",
        )
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        _refuse(folder, "it has no tokenizer", f"one of {', '.join(_TOKENIZERS)}")
    in_a_file = (folder / "chat_template.jinja").is_file()
    if not in_a_file and not _json(folder, "tokenizer_config.json").get("chat_template"):
        _refuse(folder, "it has no chat template", "chat_template.jinja, or one in its tokenizer")
    for file in files:
        _check_tensors(folder, file)
    return architecture, window


def _check_tensors(folder: Path, path: Path) -> None:
    """Raises FailedPrecondition unless all bytes that the header names are there."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LARGEST_HEADER:
                raise ValueError(length)
            tensors = json.loads(file.read(length))
        ends = [int(v["data_offsets"][1]) for k, v in tensors.items() if k != "__metadata__"]
        if not ends or 8 + length + max(ends) != path.stat().st_size:
            raise ValueError(ends)
    except FileNotFoundError:
        _refuse(folder, f"{path.name} is missing", f"a folder with {path.name}")
    except (struct.error, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise FailedPrecondition(f"{path} is cut off or damaged: copy it again") from error


def _json(folder: Path, name: str) -> Mapping[str, Any]:
    try:
        value = json.loads((folder / name).read_text())
    except FileNotFoundError:
        _refuse(folder, f"{name} is missing", f"a folder with {name}")
    except (OSError, ValueError) as error:
        raise FailedPrecondition(f"{folder / name} is not JSON: copy it again") from error
    if not isinstance(value, dict):
        _refuse(folder, f"{name} is no JSON object", "a whole file")
    return value


def _refuse(folder: Path, problem: str, needed: str) -> NoReturn:
    raise FailedPrecondition(f"{folder} cannot be served: {problem}; needed is {needed}")
