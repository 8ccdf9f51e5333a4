"""A chat model that is prompted with numbered passages: prompt, abstention and markers."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from gyre_common.events.interactions import GuardrailResult
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Ending, Piece
from gyre_generator.backends.markers import MarkerReader, own_markers
from gyre_generator.backends.openai.client import ChatClient
from gyre_generator.backends.openai.usage import REPETITION, Meter
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import NO_ANSWER, Prompt, Prompts

_ENDINGS = {
    "length": Ending.MAX_TOKENS,
    "content_filter": Ending.CONTENT_FILTER,
    REPETITION: Ending.REPETITION,
}


class PromptedModel:
    """Implements `Backend`: renders the prompt, knows an abstention, turns [n] into claims."""

    ignores = ()

    def __init__(self, client: ChatClient, prompts: Prompts) -> None:
        self._client = client
        self._prompts = prompts

    async def write(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], artifacts: Artifacts
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        prompt = self._prompt(ask, passages, artifacts.get(Roles.ANSWER_PROMPT))
        yield prompt
        generator = artifacts.get(Roles.GENERATOR)
        settings = generator.settings if generator else {}
        markers = MarkerReader(own_markers(passage.text for passage in passages))
        meter = Meter(prompt.text)
        opening, abstains = "", True
        completion = self._client.complete(
            prompt, settings, meter, max_tokens=ask.max_tokens, temperature=ask.temperature
        )
        async with aclosing(completion) as pieces:
            async for piece in pieces:
                if abstains:  # as far as one can tell by the words so far
                    opening += piece
                    if NO_ANSWER.startswith(_bare(opening)):
                        continue
                    abstains, piece = False, opening.lstrip()
                if text := markers.feed(piece):
                    yield text
        tokens, cost_usd = meter.tokens, meter.cost_usd(self._client.model)
        if abstains and _bare(opening) == NO_ANSWER:
            yield AnswerDraft("", abstained=True, tokens=tokens, cost_usd=cost_usd)
            return
        if rest := markers.feed(opening if abstains else "", final=True):
            yield rest
        if not markers.text.strip():
            raise self._client.errors.empty(meter.finish_reason)
        yield AnswerDraft(
            markers.text,
            markers.claims(),
            ending=_ENDINGS.get(meter.finish_reason, Ending.WHOLE),
            ignored=_ignored(ask, meter),
            tokens=tokens,
            cost_usd=cost_usd,
            guardrails=_verdicts(meter),
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
        prompt = template.render(variables).with_instructions(ask.instructions)
        return replace(prompt, fallback=fallback)


def _verdicts(meter: Meter) -> tuple[GuardrailResult, ...]:
    end = meter.finish_reason
    detail = f"ended by {end}" if end else "ended without a finish_reason"
    complete = GuardrailResult(name="complete", passed=end == "stop", detail=detail)
    if "temperature" not in meter.refused:
        return (complete,)
    detail = "the model server takes no temperature of others: it used its own"
    return complete, GuardrailResult(name="temperature", passed=False, detail=detail)


def _ignored(ask: Ask, meter: Meter) -> tuple[str, ...]:
    return tuple(name for name in ask.wishes() if name == "temperature" and name in meter.refused)


def _bare(text: str) -> str:
    return text.strip().rstrip(".")
