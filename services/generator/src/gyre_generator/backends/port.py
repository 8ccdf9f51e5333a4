"""What the extractive reader and a model server have in common."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from gyre_common.events.interactions import GuardrailResult, TokenUsage, Turn
from gyre_common.events.releases import Artifact

from gyre_generator.passages import RetrievedPassage


@dataclass(frozen=True, slots=True)
class WritingTask:
    """A question with all that may be used to answer it.

    `query` is the question made whole by the turn it leans on. `generator` is the released version
    that routed here, `prompt` the released prompt; both None where nothing was released.
    """

    question: str
    query: str
    passages: tuple[RetrievedPassage, ...]
    history: tuple[Turn, ...] = ()
    generator: Artifact | None = None
    prompt: Artifact | None = None


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """The prompt that is about to be sent, for the record; `fallback` says why it is another."""

    text: str
    version: str
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Characters `start`..`end` of the answer rest on passage `number`, counted from 1.

    `quote` are the characters of the passage where the writer knows them.
    """

    start: int
    end: int
    number: int
    quote: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class AnswerDraft:
    """The whole answer; `answer` is exactly what the deltas said.

    `abstained` means that the passages hold no answer; the answer is then empty, and nothing was
    said. `cost_usd` is 0 for what costs nothing.
    """

    answer: str
    claims: tuple[Claim, ...] = ()
    abstained: bool = False
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    guardrails: tuple[GuardrailResult, ...] = ()


Piece = PromptRecord | Delta | AnswerDraft


class Backend(Protocol):
    """Writes an answer from passages."""

    def write(self, task: WritingTask) -> AsyncGenerator[Piece, None]:
        """A PromptRecord where there is a prompt, then Deltas as they come, one AnswerDraft last.

        Raises:
            Unavailable: what does the writing is down, too slow, or answers nonsense.
            FailedPrecondition: this version cannot be written with as it is set up.
        """
