"""What a reward model reads: whole questions and answers, as many passages as fit, plain text."""

import pytest
from gyre_common.errors import CONTEXT_TOO_LONG, FailedPrecondition
from gyre_common.no_answer import NO_ANSWER
from gyre_common.reward_input import (
    RewardFrame,
    RewardTokens,
    read_frame,
    reward_prompt,
    reward_tokens,
)

FRAME = RewardFrame(before=(1,), between=(2,), after=(3,), end=(4,), longest=2_000)


def letters(text: str) -> list[int]:
    return [ord(letter) + 1_000 for letter in text]


def text_of(ids: tuple[int, ...]) -> str:
    return "".join(chr(each - 1_000) for each in ids if each > 1_000)


def tokens_of(*answers: str, longest: int = 2_000, passages: tuple[str, ...] = ("Hot.",)):  # type: ignore[no-untyped-def]
    frame = FRAME.model_copy(update={"longest": longest})
    return reward_tokens(letters, frame, question=" How hot? ", passages=passages, answers=answers)


def test_the_prompt_is_instructions_question_and_passages_in_the_templates_frame() -> None:
    tokens: RewardTokens = tokens_of("Hot. ", "Cold.", passages=("Hot.", "Very."))
    system, user = reward_prompt("How hot?", ["Hot.", "Very."])
    assert user == "Question: How hot?\n\nPassages:\n[1] Hot.\n\n[2] Very."
    assert tokens.prompt == (1, *letters(system), 2, *letters(user), 3)
    assert tokens.completions == ((*letters("Hot."), 4), (*letters("Cold."), 4))
    assert not tokens.was_cut


def test_an_answer_without_words_declines() -> None:
    assert tokens_of("  ").completions == ((*letters(NO_ANSWER), 4),)


def test_passages_are_cut_from_the_last_ones_end_and_nothing_else() -> None:
    passages = ("first " * 9, "second " * 9)
    whole = tokens_of("Hot.", passages=passages)
    length = len(whole.prompt) + len(whole.completions[0])
    cut = tokens_of("Hot.", passages=passages, longest=length - 10)
    assert cut.was_cut
    assert len(cut.prompt) + len(cut.completions[0]) == length - 10
    assert text_of(whole.prompt).startswith(text_of(cut.prompt))
    assert cut.completions == whole.completions
    assert cut.prompt[-1] == 3


def test_a_question_and_an_answer_that_are_too_long_are_refused() -> None:
    with pytest.raises(FailedPrecondition, match="the reward model reads 300") as refused:
        tokens_of("long " * 50, longest=300)
    assert refused.value.code == CONTEXT_TOO_LONG


@pytest.mark.parametrize("content", [b"{", b'{"before": []}', b'{"end": []}'])
def test_a_frame_that_is_damaged_is_told(content: bytes) -> None:
    assert read_frame(FRAME.model_dump_json().encode()) == FRAME
    with pytest.raises(FailedPrecondition, match=r"reward\.json is damaged"):
        read_frame(content)
