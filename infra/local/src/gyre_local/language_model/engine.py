"""What runs language models: the port that the endpoint stands on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gyre_common.language_model_files import AdapterFiles, LanguageModelFiles

from gyre_local.language_model.requests import ChatMessage

Write = Callable[[str], bool]
"""Takes text as it comes; False asks for no more."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to choose tokens; `temperature` 0 takes the likeliest.

    The same `seed` writes the same again as far as the processor's arithmetic goes: what an engine
    keeps of a prompt's beginning is rounded in bfloat16, where the processor has AMX.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class Written:
    """How many tokens were written, and whether the model ended by itself."""

    tokens: int
    ended: bool


class LanguageModel(Protocol):
    """A loaded model. Its methods block; one thread at a time writes."""

    @property
    def window(self) -> int:
        """Tokens of prompt and answer together."""

    def chat_tokens(self, messages: Sequence[ChatMessage]) -> list[int]:
        """The prompt by the model's chat template; special tokens in a message are plain text.

        Raises ApiError: 400 where the template does not take these messages, 404 once closed.
        """

    def text_tokens(self, text: str) -> list[int]:
        """A text as it stands, special tokens included. Raises ApiError, 404, once closed."""

    def generate(self, prompt: Sequence[int], sampling: Sampling, write: Write) -> Written:
        """Write until the model ends, `max_tokens` are there, or `write` wants no more."""

    def close(self) -> None:
        """Free its memory."""


class Engine(Protocol):
    """Opens models."""

    def needed_bytes(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> int:
        """The memory that it will take, at most."""

    def open(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> LanguageModel:
        """Blocks for a few seconds.

        Raises ApiError: 503 where packages are missing, 400 for what this engine cannot run.
        """
