"""A question with what was read for it, and what versions of the generator make of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gyre_common.events.interactions import Turn
from gyre_common.reward_input import reward_prompt


@dataclass(frozen=True)
class PassageRead:
    """A passage as it was read for an answer; `heading` says where it stands."""

    chunk_id: str
    document_id: str
    heading: str
    text: str


@dataclass(frozen=True)
class QuestionContext:
    """A question as it was asked, by somebody of the groups `acl`, and what was read for its
    answer, best first.
    """

    tenant: str
    question: str
    history: tuple[Turn, ...]
    read: tuple[PassageRead, ...]
    acl: tuple[str, ...] = ()


Render = Callable[[QuestionContext], Awaitable[tuple[str, str]]]
"""The prompt that a model would be sent, instructions and question; raises GyreError."""


async def render_for_judge(context: QuestionContext) -> tuple[str, str]:
    """What a reward model is asked: the question, without the turns before it, and the passages."""
    return reward_prompt(context.question, [each.text for each in context.read])


@dataclass(frozen=True)
class VersionAnswer:
    """What a version made of a question. `cited` are the characters, start and end, that rest on a
    passage, and `sources` the passages, by chunk id and in the same order; `seconds` is how long it
    took; the tokens are 0 where nothing counts them. One that is not `whole` was cut off.
    """

    text: str
    cited: tuple[tuple[int, int], ...] = ()
    sources: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    whole: bool = True
