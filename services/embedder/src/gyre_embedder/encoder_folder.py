"""An encoder's folder, as sentence-transformers writes it: what stands beside the ONNX graph.

Which file holds what: https://sbert.net/docs/package_reference/base/modules.html and the library's
`Transformer`, `Pooling` and `SentenceTransformer.encode_query` and `encode_document`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gyre_common.errors import FailedPrecondition

from gyre_embedder.encoders import Side

GRAPH, TOKENIZER = "onnx/model.onnx", "tokenizer.json"
_MODULES, _POOLING = "modules.json", "1_Pooling/config.json"
_TRANSFORMER, _LIBRARY = "sentence_bert_config.json", "config_sentence_transformers.json"
_NETWORK, _TOKENS = "config.json", "tokenizer_config.json"
_LARGE = (f"{GRAPH}_data", f"{GRAPH}.data")
SERVED = (GRAPH, *_LARGE, TOKENIZER, _MODULES, _POOLING, _TRANSFORMER, _LIBRARY, _NETWORK, _TOKENS)
"""What serving reads, weights that lie beside the graph included; a folder may hold more."""

_KNOWN_MODULES = {"Transformer", "Pooling", "Normalize"}
_PROMPT_NAMES: Mapping[Side, tuple[str, ...]] = {
    Side.QUERY: ("query",),
    Side.DOCUMENT: ("document", "passage", "corpus"),
}


class Pooling(StrEnum):
    """How the vectors of a text's tokens become one."""

    MEAN = "mean"
    CLS = "cls"


@dataclass(frozen=True)
class EncoderFolder:
    """What a folder says of its encoder. `longest` counts tokens, prompt included."""

    path: Path
    pooling: Pooling
    prompts: Mapping[Side, str]
    longest: int
    lower_case: bool
    pad_id: int


def read_encoder_folder(path: Path) -> EncoderFolder:
    """Read the small files; those that are missing mean what the library takes them to mean.

    Raises FailedPrecondition: the folder lacks the graph or the tokenizer, a file is damaged, or
    the encoder needs what is not served here, such as another pooling.
    """
    for name in (GRAPH, TOKENIZER):
        if not (path / name).is_file():
            raise FailedPrecondition(f"it has no file {name}")
    _check_modules(path)
    pooling = _read(path, _POOLING)
    prompts = _prompts(_read(path, _LIBRARY))
    if any(prompts.values()) and pooling.get("include_prompt") is False:
        raise FailedPrecondition(f"{_POOLING}: include_prompt false is not served")
    return EncoderFolder(
        path=path,
        pooling=_pooling(pooling),
        prompts=prompts,
        longest=_longest(path),
        lower_case=bool(_read(path, _TRANSFORMER).get("do_lower_case")),
        pad_id=int(_read(path, _NETWORK).get("pad_token_id") or 0),
    )


def _check_modules(path: Path) -> None:
    """Every vector here is brought to length 1, which is what cosine compares anyway."""
    modules = _json(path, _MODULES, list) or ()
    names = [str(each["type"]).rpartition(".")[2] for each in modules]
    if unknown := [name for name in names if name not in _KNOWN_MODULES]:
        raise FailedPrecondition(f"{_MODULES}: {', '.join(unknown)} is not served")
    similarity = _read(path, _LIBRARY).get("similarity_fn_name")
    if similarity not in (None, "cosine") and "Normalize" not in names:
        raise FailedPrecondition(f"{_LIBRARY}: similarity {similarity} is not served, cosine is")


def _pooling(config: Mapping[str, Any]) -> Pooling:
    """Named by `pooling_mode` since sentence-transformers 5, by one flag a mode before."""
    modes = config.get("pooling_mode") or [
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for name, value in config.items()
        if name.startswith("pooling_mode_") and value is True
    ]
    chosen = [modes] if isinstance(modes, str) else list(modes) or [Pooling.MEAN]
    if len(chosen) != 1 or chosen[0] not in tuple(Pooling):
        raise FailedPrecondition(
            f"{_POOLING}: {' + '.join(chosen)} is not served, mean and cls are"
        )
    return Pooling(chosen[0])


def _prompts(config: Mapping[str, Any]) -> Mapping[Side, str]:
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name"))
    return {
        side: next((prompts[name] for name in names if name in prompts), default) or ""
        for side, names in _PROMPT_NAMES.items()
    }


def _longest(path: Path) -> int:
    """As the library: what the folder says, else the shorter of network's and tokenizer's."""
    longest = _read(path, _TRANSFORMER).get("max_seq_length")
    if longest is None:
        network = _read(path, _NETWORK).get("max_position_embeddings")
        tokenizer = _read(path, _TOKENS).get("model_max_length")
        longest = min((each for each in (network, tokenizer) if each is not None), default=0)
    if int(longest) < 1:
        raise FailedPrecondition("no file says how many tokens a text may have")
    return int(longest)


def _read(path: Path, name: str) -> Mapping[str, Any]:
    return _json(path, name, dict) or {}


def _json(path: Path, name: str, kind: type) -> Any:
    try:
        content = json.loads((path / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise FailedPrecondition(f"{name} is no JSON: {error}") from error
    if not isinstance(content, kind):
        raise FailedPrecondition(f"{name} is not what sentence-transformers writes")
    return content
