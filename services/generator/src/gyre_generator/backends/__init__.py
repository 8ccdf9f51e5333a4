"""What writes answers: one port, one file a kind."""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from gyre_common.errors import GyreError
from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.events.releases import Artifact

from gyre_generator.ask import Ask
from gyre_generator.examples import ShownExample
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt

MODEL_MISSING = "model-missing"
"""Code of a FailedPrecondition: the model server does not know the model; nothing was written."""

Artifacts = Mapping[str, Artifact]
"""The released generator and prompt, by role; what was not released is missing."""

Examples = tuple[ShownExample, ...]
"""Of answers that people want, the nearest to the question last."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Characters `start`..`end` of the answer rest on passage `number`, counted from 1.

    `quote` are the characters of the passage where the writer knows them.
    """

    start: int
    end: int
    number: int
    quote: tuple[int, int] | None = None


class Ending(StrEnum):
    """How a text ended: of itself, or cut off, possibly in the middle; `held` before a sentence
    that nothing supports.
    """

    WHOLE = "whole"
    MAX_TOKENS = "max_tokens"
    CONTENT_FILTER = "content_filter"
    REPETITION = "repetition"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Ranking:
    """How one of several answers was chosen: `rewards` by version `judge` are those of all that
    were drawn, None for one that declines or was not scored; `chosen` counts from 0. `problem`
    tells why it is not the best of as many as were `wanted`.
    """

    judge: str
    wanted: int
    rewards: tuple[float | None, ...]
    chosen: int
    judge_ms: float
    problem: GyreError | None = None


@dataclass(frozen=True, slots=True)
class AnswerDraft:
    """The whole answer, exactly the text before it; empty where it is `abstained`, which means
    that the passages hold no answer. `ignored` are fields of the request that were not honoured.
    Where it is one of several, the tokens are those of all.
    """

    answer: str
    claims: tuple[Claim, ...] = ()
    abstained: bool = False
    ending: Ending = Ending.WHOLE
    ignored: tuple[str, ...] = ()
    tokens: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    guardrails: tuple[GuardrailResult, ...] = ()
    ranking: Ranking | None = None


Piece = Prompt | str | AnswerDraft

Choose = Callable[[int], tuple[RetrievedPassage, ...]]
"""The passages for an estimated number of tokens."""


class Backend(Protocol):
    """Writes an answer from passages."""

    @property
    def ignores(self) -> Collection[str]:
        """Of the fields that `Ask.wishes` may name, those that this does not honour."""

    def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        """The Prompt where there is one, then text as it comes, one AnswerDraft last. What reads no
        prompt has no use for examples.

        Raises Unavailable where what does the writing is down, too slow or answers nonsense,
        FailedPrecondition where this version cannot be written with as it is set up.
        """


@runtime_checkable
class WindowedBackend(Backend, Protocol):
    """One whose model reads a bounded number of tokens."""

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        """The passages that it reads within `budget` tokens, beside the examples. Raises as `write`
        does.
        """
