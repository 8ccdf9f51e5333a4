"""Answers with a chat model: renders the prompt, knows an abstention, turns [n] into claims."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from gyre_common.errors import GyreError
from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION

from gyre_generator.backends.markers import MarkerReader
from gyre_generator.backends.port import AnswerDraft, Delta, Piece, PromptRecord, WritingTask
from gyre_generator.prompts import Prompt, Prompts
from gyre_generator.prompts.library import NO_ANSWER


@dataclass(frozen=True, slots=True)
class Completion:
    """How a completion ended (`stop` where the model had no more to write), and what it took."""

    finish_reason: str
    tokens: TokenUsage
    cost_usd: float = 0.0


class ChatModel(Protocol):
    """Continues a prompt."""

    def complete(
        self, prompt: Prompt, settings: Mapping[str, str]
    ) -> AsyncGenerator[str | Completion, None]:
        """Text as it comes, then one Completion, last; `settings` are the released version's.

        Raises:
            Unavailable: the model is down, too slow, or sends nonsense.
            FailedPrecondition: the model cannot be used as it is set up.
        """

    def unusable(self, what: str) -> GyreError:
        """What to raise for an answer that is none: it was `what`."""


class PromptedModel:
    """Implements `Backend` over any chat model."""

    def __init__(self, chat: ChatModel, prompts: Prompts) -> None:
        self._chat = chat
        self._prompts = prompts

    async def write(self, task: WritingTask) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        prompt, fallback = self._prompt(task)
        yield PromptRecord(prompt.text, prompt.version, fallback)
        markers, completion = MarkerReader(), Completion("", TokenUsage())
        opening, abstains = "", True
        settings = task.generator.settings if task.generator else {}
        async with aclosing(self._chat.complete(prompt, settings)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Completion):
                    completion = piece
                    continue
                if abstains:  # as far as one can tell by the words so far
                    opening += piece
                    if NO_ANSWER.startswith(_bare(opening)):
                        continue
                    abstains, piece = False, opening.lstrip()
                if text := markers.feed(piece):
                    yield Delta(text)
        tokens, cost_usd = completion.tokens, completion.cost_usd
        if abstains and _bare(opening) == NO_ANSWER:
            yield AnswerDraft("", abstained=True, tokens=tokens, cost_usd=cost_usd)
            return
        if rest := markers.feed(opening if abstains else "") + markers.finish():
            yield Delta(rest)
        if not markers.text.strip():
            raise self._chat.unusable("an empty answer")
        complete = GuardrailResult(
            name="complete",
            passed=completion.finish_reason == "stop",
            detail=f"ended by {completion.finish_reason}",
        )
        yield AnswerDraft(
            markers.text, markers.claims(), tokens=tokens, cost_usd=cost_usd, guardrails=(complete,)
        )

    def _prompt(self, task: WritingTask) -> tuple[Prompt, str]:
        artifact = task.prompt
        template, fallback = self._prompts.load_or_keep(
            artifact.version if artifact else ANSWER_PROMPT_VERSION,
            artifact.digest if artifact else None,
        )
        passages = [
            {"number": n, "heading": p.heading, "text": p.text}
            for n, p in enumerate(task.passages, start=1)
        ]
        history = [{"role": t.role, "content": t.content} for t in task.history]
        variables = {"question": task.question, "passages": passages, "history": history}
        return template.render(variables), fallback


def _bare(text: str) -> str:
    return text.strip().rstrip(".")
