"""Answers with a chat model: renders the prompt, knows an abstention, turns [n] into claims."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from gyre_common.errors import GyreError
from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION
from gyre_common.text import sentences

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Claim, Piece
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import NO_ANSWER, Prompt, Prompts


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

    async def write(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], artifacts: Artifacts
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        generator = artifacts.get(Roles.GENERATOR)
        prompt = self._prompt(ask, passages, artifacts.get(Roles.ANSWER_PROMPT))
        yield prompt
        markers, completion = MarkerReader(), Completion("", TokenUsage())
        opening, abstains = "", True
        settings = generator.settings if generator else {}
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
                    yield text
        tokens, cost_usd = completion.tokens, completion.cost_usd
        if abstains and _bare(opening) == NO_ANSWER:
            yield AnswerDraft("", abstained=True, tokens=tokens, cost_usd=cost_usd)
            return
        if rest := markers.feed(opening if abstains else "", final=True):
            yield rest
        if not markers.text.strip():
            raise self._chat.unusable("an empty answer")
        reason = completion.finish_reason
        complete = GuardrailResult(
            name="complete", passed=reason == "stop", detail=f"ended by {reason}"
        )
        yield AnswerDraft(
            markers.text, markers.claims(), tokens=tokens, cost_usd=cost_usd, guardrails=(complete,)
        )

    def _prompt(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], released: Artifact | None
    ) -> Prompt:
        template, fallback = self._prompts.load_or_keep(
            released.version if released else ANSWER_PROMPT_VERSION,
            released.digest if released else None,
        )
        numbered = [
            {"number": n, "heading": p.heading, "text": p.text}
            for n, p in enumerate(passages, start=1)
        ]
        history = [turn.model_dump() for turn in ask.history]
        variables = {"question": ask.question, "passages": numbered, "history": history}
        return replace(template.render(variables), fallback=fallback)


def _bare(text: str) -> str:
    return text.strip().rstrip(".")


_MARKER = re.compile(r"(?<!\s)\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_MARKER_START = re.compile(r"(?<!\s)\s*(?:\[[\d\s,;]{0,40})?\Z")


class MarkerReader:
    """Takes [1] and [1, 3] out of a text and remembers what they stood behind.

    Brackets inside backticks are code, not markers. Pieces may end anywhere, also inside a marker:
    what may still become one is held back until it is clear.
    """

    def __init__(self) -> None:
        self.text = ""
        self._buffer = ""
        self._marks: list[tuple[int, int]] = []
        self._code = False

    def feed(self, piece: str, *, final: bool = False) -> str:
        """The text that is now sure to be part of the answer: all of it with the `final` piece."""
        self._buffer += piece
        before = len(self.text)
        while self._buffer:
            tick = self._buffer.find("`")
            if self._code:
                self._emit(tick + 1 if tick >= 0 else len(self._buffer))
                self._code = tick < 0
                continue
            plain = self._buffer if tick < 0 else self._buffer[:tick]
            marker = _MARKER.search(plain)
            if marker:
                self._emit(marker.start())
                numbers = re.findall(r"\d+", marker.group(1))
                self._marks += [(len(self.text), int(number)) for number in numbers]
                self._buffer = self._buffer[marker.end() - marker.start() :]
            elif tick >= 0:
                self._emit(tick + 1)
                self._code = True
            else:
                marker_start = None if final else _MARKER_START.search(plain)
                self._emit(marker_start.start() if marker_start else len(plain))
                break
        return self.text[before:]

    def claims(self) -> tuple[Claim, ...]:
        """What the markers say: the sentence that each one ends, or stands in, rests on it."""
        spans = [(s.start, s.end) for s in reversed(sentences(self.text))]
        claims: dict[Claim, None] = {}
        for at, number in self._marks:
            start, end = next((span for span in spans if span[0] < at), (0, 0))
            if start < end:
                claims[Claim(start, end, number)] = None
        return tuple(claims)

    def _emit(self, length: int) -> None:
        self.text += self._buffer[:length]
        self._buffer = self._buffer[length:]
