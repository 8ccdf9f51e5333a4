"""From messages to token ids: only the chat template makes special tokens, no text can."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.reward_input import RewardFrame
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from gyre_trainer.data_sets.answers import with_passages

_SLOTS = ("\ue000system\ue000", "\ue000user\ue000", "\ue000answer\ue000")
"""Stand in the template's output where texts go: characters of private use, and no special ones."""


@dataclass(frozen=True)
class Chat:
    """What is asked and what should be answered; `system` and `user` have marks in the place of
    `passages`, as `mark_passages` says. `others` are further answers to the same.
    """

    system: str
    user: str
    answer: str
    passages: Mapping[str, str]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class TokenizedChat:
    """Token ids; the last `completion` of them are the answer and its end. `others` are those of
    the other answers, with their ends.
    """

    ids: tuple[int, ...]
    completion: int
    was_cut: bool = False
    others: tuple[tuple[int, ...], ...] = ()


class ChatTokenizer:
    """A model's own tokenizer and template. Raises FailedPrecondition where it has none."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._backend = tokenizer.backend_tokenizer
        system, user, answer = _SLOTS
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        try:
            prompt = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
            whole = tokenizer.apply_chat_template(
                [*messages, {"role": "assistant", "content": answer}], tokenize=False
            )
        except (ValueError, TemplateError) as error:
            raise FailedPrecondition(
                f"the model's chat template cannot be used ({_first_line(error)}): add weights "
                "with one that takes a system, a user and an assistant"
            ) from error
        before, _, rest = prompt.partition(system)
        between, _, after = rest.partition(user)
        start, _, end = whole.partition(answer)
        if start != prompt or not all(each in prompt for each in (system, user)) or not end.strip():
            raise FailedPrecondition(
                "the model's chat template does not end an answer after what asks for it: add "
                "weights with another template"
            )
        # What follows the end of an answer is not for the model to write.
        end = end.rstrip()
        self._before, self._between, self._after, self._end = (
            self._special(each) for each in (before, between, after, end)
        )

    @property
    def end(self) -> int:
        """The token with which an answer is over."""
        return self._end[-1]

    def frame(self, longest: int) -> RewardFrame:
        """What the template puts around the texts, for a model that reads so many tokens."""
        return RewardFrame(
            before=self._before,
            between=self._between,
            after=self._after,
            end=self._end,
            longest=longest,
        )

    def tokenize(self, chat: Chat, *, longest: int) -> TokenizedChat | None:
        """Prompt and longest answer have at most `longest` tokens: passages are cut from the last
        one's end, answers never. None where the rest alone is too long.
        """
        completion, *others = (
            (*self.plain(answer), *self._end) for answer in (chat.answer, *chat.others)
        )
        room = longest - max(map(len, (completion, *others)))
        passages = dict(chat.passages)
        prompt = self._prompt(chat, passages)
        for number in sorted(passages, key=int, reverse=True):
            too_many = len(prompt) - room
            if too_many <= 0:
                break
            passages[number] = self._shortened(passages[number], too_many)
            prompt = self._prompt(chat, passages)
        if len(prompt) > room:
            return None
        was_cut = passages != dict(chat.passages)
        return TokenizedChat((*prompt, *completion), len(completion), was_cut, tuple(others))

    def _prompt(self, chat: Chat, passages: Mapping[str, str]) -> tuple[int, ...]:
        system, user = (
            self.plain(with_passages(each, passages)) for each in (chat.system, chat.user)
        )
        return (*self._before, *system, *self._between, *user, *self._after)

    def _shortened(self, text: str, tokens: int) -> str:
        """Without its last tokens, and two more, as its new end may be cut into others."""
        offsets: Sequence[tuple[int, int]] = self._encode(text, special=False).offsets
        remaining = len(offsets) - tokens - 2
        return text[: offsets[remaining - 1][1]] if remaining > 0 else ""

    def plain(self, text: str) -> list[int]:
        """The ids of a text, of which none is special."""
        ids: list[int] = self._encode(text, special=False).ids
        return ids

    def _special(self, text: str) -> list[int]:
        ids: list[int] = self._encode(text, special=True).ids
        return ids

    def _encode(self, text: str, *, special: bool):  # type: ignore[no-untyped-def]
        # With this flag a special token's text is cut like any other.
        self._backend.encode_special_tokens = not special
        return self._backend.encode(text, add_special_tokens=False)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
