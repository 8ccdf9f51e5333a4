"""Holds text back until a sentence of it is whole, so that a check can stop it before it leaves."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from itertools import pairwise

from gyre_common.events.interactions import GuardrailResult, Outcome
from gyre_common.text import sentences

from gyre_generator.backends import Delta
from gyre_generator.progress import StepResult

STOPPED = "The answer was stopped by a check."
MOST_HELD = 2_000
"""Characters. A longer sentence, as code may be one, leaves in parts, each checked alone."""

SentenceCheck = Callable[[str], Awaitable[GuardrailResult | None]]
"""Sees each sentence of an answer before the caller does: the verdict that stops it, or None."""


async def check_sentences(
    parts: AsyncGenerator[Delta | StepResult, None], checks: Sequence[SentenceCheck]
) -> AsyncGenerator[Delta | StepResult, None]:
    """The same text by whole sentences, up to the first that a check stops; reports pass at once.

    Where one is stopped, `parts` is closed, and the last report ends the answer with the verdict.
    """
    any_text_sent = False
    async with aclosing(parts), aclosing(_by_sentence(parts)) as sentence_parts:
        async for part in sentence_parts:
            if isinstance(part, Delta):
                for check in checks:
                    if verdict := await check(part.text):
                        yield Delta(f"\n\n{STOPPED}" if any_text_sent else STOPPED)
                        yield StepResult(
                            guardrails=(verdict,), outcome=Outcome.ABSTAINED, ends=True
                        )
                        return
                any_text_sent = True
            yield part


async def _by_sentence(
    parts: AsyncGenerator[Delta | StepResult, None],
) -> AsyncGenerator[Delta | StepResult, None]:
    tail = ""
    async for part in parts:
        if isinstance(part, StepResult):
            yield part
        else:
            *whole, tail = _split_sentences(tail + part.text)
            for sentence in whole:
                yield Delta(sentence)
    if tail:
        yield Delta(tail)


def _split_sentences(text: str) -> list[str]:
    """Whole sentences, each with what stands before it, then what may still go on."""
    ends = [sentence.end for sentence in sentences(text)[:-1]]
    if not ends and len(text) > MOST_HELD:
        ends = [text.rfind("\n") + 1 or text.rfind(" ") + 1 or len(text)]
    return [text[start:end] for start, end in pairwise((0, *ends, len(text)))]
