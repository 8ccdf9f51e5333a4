"""What a reward model reads of an answer: the same tokens when it learns and when it serves."""

from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gyre_common.errors import CONTEXT_TOO_LONG, FailedPrecondition
from gyre_common.no_answer import NO_ANSWER

METHOD = "reward"
"""The setting `method` of judge versions that are reward models."""

METRIC = "reward"
"""The score that they add to those of the baseline."""

PROMPT = "reward-1"
"""The name of the words below."""

GRAPH, TOKENIZER, FRAME = "onnx/model.onnx", "tokenizer.json", "reward.json"
LARGE = f"{GRAPH}.data"
"""What serves a version: `LARGE` holds the weights of a graph that is too large for one file."""

INPUT, OUTPUT = "input_ids", "reward"
"""Of the graph: int64 of (1, tokens), and float32 of (1, 1)."""

_SYSTEM = (
    "Judge the answer to the question. A good answer says what the passages say, answers what was "
    "asked, and declines where the passages hold no answer."
)

Encode = Callable[[str], Sequence[int]]
"""Token ids of plain text: no text makes a special token."""


class RewardFrame(BaseModel):
    """The token ids that a model's chat template puts before the instructions, between them and the
    question, before the answer and after it; and how many tokens the model reads at most.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    end: tuple[int, ...] = Field(min_length=1)
    longest: int = Field(ge=1)


def read_frame(content: bytes) -> RewardFrame:
    """Of `FRAME`. Raises FailedPrecondition where it is damaged."""
    try:
        return RewardFrame.model_validate_json(content)
    except ValidationError as error:
        raise FailedPrecondition(f"{FRAME} is damaged") from error


class RewardTokens(BaseModel):
    """A prompt and what follows it, one completion an answer; whether passages were cut."""

    model_config = ConfigDict(frozen=True)

    prompt: tuple[int, ...]
    completions: tuple[tuple[int, ...], ...]
    was_cut: bool


def reward_tokens(
    encode: Encode,
    frame: RewardFrame,
    *,
    question: str,
    passages: Sequence[str],
    answers: Sequence[str],
) -> RewardTokens:
    """Prompt and longest answer have at most `frame.longest` tokens: passages, best first, are cut
    from the end; question and answers never. An answer without words declines.

    Raises FailedPrecondition (code `CONTEXT_TOO_LONG`) where the rest alone is too long.
    """
    completions = tuple((*encode(answer.strip() or NO_ANSWER), *frame.end) for answer in answers)
    opening = (*frame.before, *encode(_SYSTEM), *frame.between, *encode(_question_part(question)))
    read = encode(_shown(passages))
    needed = len(opening) + len(frame.after) + max(map(len, completions))
    room = frame.longest - needed
    if room < 0:
        raise FailedPrecondition(
            f"question and answer have {needed:,} tokens, and the reward model reads "
            f"{frame.longest:,}",
            code=CONTEXT_TOO_LONG,
        )
    prompt = (*opening, *read[:room], *frame.after)
    return RewardTokens(prompt=prompt, completions=completions, was_cut=len(read) > room)


def reward_prompt(question: str, passages: Sequence[str]) -> tuple[str, str]:
    """The words that are cut into tokens: instructions and question."""
    return _SYSTEM, _question_part(question) + _shown(passages)


def _question_part(question: str) -> str:
    return f"Question: {question.strip()}\n\nPassages:\n"


def _shown(passages: Sequence[str]) -> str:
    numbered = (f"[{number}] {text.strip()}" for number, text in enumerate(passages, start=1))
    return "\n\n".join(numbered)
