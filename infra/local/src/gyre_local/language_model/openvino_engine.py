"""Models by OpenVINO GenAI, straight from a GGUF file.

https://docs.openvino.ai/2026/openvino-workflow-generative/inference-with-genai.html
"""

import importlib
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gyre_common.gguf_files import ARCHITECTURES
from gyre_common.language_model_files import AdapterFiles, LanguageModelFiles

from gyre_local.language_model.engine import LanguageModel, Sampling, Write, Written
from gyre_local.language_model.errors import ApiError, packages_missing, unloaded
from gyre_local.language_model.merging import merge
from gyre_local.language_model.prompt import broken, encode_pieces
from gyre_local.language_model.requests import ChatMessage

_OVERHEAD = 4
"""Times the file: weights in the layout of the CPU, the graph, and what a long prompt needs."""


class OpenVinoEngine:
    """Implements `Engine` on the CPU, with `threads` of it."""

    def __init__(self, *, threads: int) -> None:
        self._threads = threads

    def needed_bytes(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> int:
        """See `Engine`; by measurement (ADR 0023)."""
        merged = 2 if adapter else 1  # 8 bits in the place of 4
        return merged * _OVERHEAD * model.size_bytes

    def open(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> LanguageModel:
        """See `Engine`."""
        if not model.is_gguf or model.architecture not in ARCHITECTURES:
            kind = f"{model.weights.suffix[1:]} of architecture {model.architecture}"
            raise ApiError(
                400,
                f"this engine cannot run {kind}: give it GGUF of {', '.join(ARCHITECTURES)}, "
                "or serve the model by vLLM and name that in GYRE_LLM_URL",
                code="model_refused",
                param="path",
            )
        try:
            importlib.invalidate_caches()  # they may have been installed a moment ago
            library = importlib.import_module("openvino_genai")
            openvino = importlib.import_module("openvino")
            importlib.import_module("openvino_tokenizers")
            with tempfile.TemporaryDirectory(prefix="gyre-merged-") as folder:
                weights = model.weights
                if adapter is not None:
                    weights = Path(folder) / "merged.gguf"
                    merge(model, adapter, weights)
                pipeline = library.LLMPipeline(
                    str(weights), "CPU", INFERENCE_NUM_THREADS=self._threads
                )
            return OpenVinoModel(library, openvino, pipeline, model.window)
        except ImportError as error:
            raise packages_missing() from error
        except (RuntimeError, ValueError) as error:
            raise ApiError(
                400,
                f"{model.weights.name} cannot be run: {_first_line(error)}",
                code="model_refused",
                param="path",
            ) from error
        except OSError as error:
            raise ApiError(507, f"no room to merge in: {error.strerror}") from error


class OpenVinoModel:
    """Implements `LanguageModel`."""

    def __init__(self, library: Any, openvino: Any, pipeline: Any, window: int) -> None:
        self.window = window
        self._library = library
        self._tensor = openvino.Tensor
        self._pipeline = pipeline
        tokenizer = self._tokenizer = pipeline.get_tokenizer()
        self._named = (
            tokenizer.get_bos_token(),
            tokenizer.get_eos_token(),
            tokenizer.get_pad_token(),
        )

    def chat_tokens(self, messages: Sequence[ChatMessage]) -> list[int]:
        """See `LanguageModel`."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise unloaded()
        mark = f"\ue000{secrets.token_hex(8)}\ue000"
        history = [
            {"role": each.role, "content": broken(each.content, self._named, mark)}
            for each in messages
        ]
        try:
            text = tokenizer.apply_chat_template(history, add_generation_prompt=True)
        except RuntimeError as error:
            raise ApiError(
                400,
                f"the model's chat template does not take these messages: {_first_line(error)}",
                param="messages",
            ) from error
        return encode_pieces(text, mark, self.text_tokens)

    def text_tokens(self, text: str) -> list[int]:
        """See `LanguageModel`."""
        tokenizer = self._tokenizer
        if tokenizer is None:
            raise unloaded()
        encoded = tokenizer.encode(text, add_special_tokens=False)
        return [int(token) for token in encoded.input_ids.data[0]]

    def generate(self, prompt: Sequence[int], sampling: Sampling, write: Write) -> Written:
        """See `LanguageModel`."""
        import numpy as np

        library = self._library
        config = self._pipeline.get_generation_config()
        config.max_new_tokens = sampling.max_tokens
        config.apply_chat_template = False
        config.do_sample = sampling.temperature > 0
        if config.do_sample:
            config.temperature, config.top_p = sampling.temperature, sampling.top_p
            config.rng_seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        status = library.StreamingStatus

        def on_text(text: str) -> Any:
            return status.RUNNING if write(text) else status.CANCEL

        ids = self._tensor(np.array([prompt], dtype=np.int64))
        try:
            streamer = library.TextStreamer(self._tokenizer, on_text)
            result = self._pipeline.generate(ids, config, streamer)
        except RuntimeError as error:
            raise ApiError(500, f"the engine failed: {_first_line(error)}") from error
        tokens = len(result.tokens[0])
        ended = result.finish_reasons[0] == library.GenerationFinishReason.STOP
        return Written(tokens, ended=ended)

    def close(self) -> None:
        """See `LanguageModel`."""
        self._tokenizer = self._pipeline = None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__
