"""A chat model that is prompted with numbered passages: prompt, abstention and markers."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from gyre_common.events.interactions import GuardrailResult
from gyre_common.events.releases import Artifact, Roles
from gyre_common.no_answer import may_say_no_answer, says_no_answer
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Choose, Ending, Examples, Piece
from gyre_generator.backends.answerable import answerable, answers_at
from gyre_generator.backends.context_budget import context_tokens
from gyre_generator.backends.markers import MarkerReader, own_markers
from gyre_generator.backends.openai.client import ChatClient
from gyre_generator.backends.openai.usage import REPETITION, Meter
from gyre_generator.backends.reading import how_answerable
from gyre_generator.backends.support import SupportIndex
from gyre_generator.backends.supported_text import SupportedText, unsupported_policy
from gyre_generator.passages import RetrievedPassage, estimated_cost
from gyre_generator.prompts import Prompt, Prompts
from gyre_generator.prompts.rendering import render_prompt, template_of

_ENDINGS = {
    "length": Ending.MAX_TOKENS,
    "content_filter": Ending.CONTENT_FILTER,
    REPETITION: Ending.REPETITION,
}


_ANSWER_SHARE = 4
"""Of the window, which an answer has at least where it may be as long."""

_MOST_ATTEMPTS = 24
_SMALLER = 0.9


class PromptedModel:
    """Implements `Backend`: renders the prompt, knows an abstention, turns [n] into claims."""

    ignores = ()

    def __init__(self, client: ChatClient, prompts: Prompts) -> None:
        self._client = client
        self._prompts = prompts

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        """By the model's own tokens where its server counts them: within `budget` and the version's
        own `context_tokens`, and so that instructions, examples, question and answer have room in
        the window. Otherwise by the estimate.
        """
        settings = _settings(artifacts)
        budget = min(budget, context_tokens(settings) or budget)
        passages = choose(budget)
        if not passages:
            return ()
        released = artifacts.get(Roles.ANSWER_PROMPT)
        bare = await self._client.count(self._prompt(ask, (), released, examples), settings)
        if bare is None:
            return passages
        answer = min(self._client.longest_answer(ask.max_tokens), bare.window // _ANSWER_SHARE)
        left = bare.window - bare.tokens - answer
        room = min(budget, left)
        estimated = float(budget)
        for attempt in range(_MOST_ATTEMPTS if room > 0 else 0):
            passages = choose(int(estimated))
            if not passages:
                break
            prompt = self._prompt(ask, passages, released, examples)
            counted = await self._client.count(prompt, settings)
            if counted is None:
                return passages
            used = counted.tokens - bare.tokens
            if attempt and used <= room:
                return passages
            # The first attempt tells what an estimated token really takes.
            size = sum(map(estimated_cost, passages))
            estimated = size * room / max(used, 1) if not attempt else estimated * _SMALLER
        if left < budget:
            raise self._client.errors.too_long(bare.window)
        return ()

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        settings = _settings(artifacts)
        policy, threshold = unsupported_policy(settings), answers_at(settings)
        verdicts = await _answerable(ask, passages, threshold)
        if not all(verdict.passed for verdict in verdicts):
            yield AnswerDraft("", abstained=True, guardrails=verdicts)
            return
        prompt = self._prompt(ask, passages, artifacts.get(Roles.ANSWER_PROMPT), examples)
        yield prompt
        index = await asyncio.to_thread(SupportIndex, passages, ask.query())
        supported = SupportedText(index, policy)
        markers = MarkerReader(own_markers(passage.text for passage in passages))
        opening, meter = _Opening(), Meter(prompt.text)
        completion = self._client.complete(
            prompt,
            settings,
            meter,
            max_tokens=ask.max_tokens,
            temperature=ask.temperature,
            seed=ask.seed,
        )
        async with aclosing(completion) as pieces:
            async for piece in pieces:
                if text := supported.feed(markers.feed(opening.feed(piece))):
                    yield text
                if supported.is_held:
                    break
        tokens, cost_usd = meter.tokens, meter.cost_usd(self._client.model)
        if opening.says_no_answer:
            yield AnswerDraft(
                "", abstained=True, tokens=tokens, cost_usd=cost_usd, guardrails=verdicts
            )
            return
        if rest := supported.feed(markers.feed(opening.rest(), final=True), final=True):
            yield rest
        if not markers.text.strip():
            raise self._client.errors.empty(meter.finish_reason)
        ending = _ENDINGS.get(meter.finish_reason, Ending.WHOLE)
        yield AnswerDraft(
            supported.text,
            supported.claims(markers.claims()),
            abstained=not supported.text and not supported.is_held,
            ending=Ending.HELD if supported.is_held else ending,
            ignored=_ignored(ask, meter),
            tokens=tokens,
            cost_usd=cost_usd,
            guardrails=(*verdicts, *_verdicts(meter, supported)),
        )

    def _prompt(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        released: Artifact | None,
        examples: Examples,
    ) -> Prompt:
        name, digest = template_of(released) if released else (ANSWER_PROMPT_VERSION, None)
        template, fallback = self._prompts.load_or_keep(name, digest)
        prompt = render_prompt(template, ask, passages, examples)
        version = released.version if released and not fallback else prompt.version
        return replace(prompt, version=version, fallback=fallback)


def _settings(artifacts: Artifacts) -> Mapping[str, str]:
    generator = artifacts.get(Roles.GENERATOR)
    return generator.settings if generator else {}


def _verdicts(meter: Meter, supported: SupportedText) -> Iterator[GuardrailResult]:
    yield supported.verdict()
    if not supported.is_held:
        end = meter.finish_reason
        detail = f"ended by {end}" if end else "ended without a finish_reason"
        yield GuardrailResult(name="complete", passed=end == "stop", detail=detail)
    if "temperature" in meter.refused:
        detail = "the model server takes no temperature of others: it used its own"
        yield GuardrailResult(name="temperature", passed=False, detail=detail)


def _ignored(ask: Ask, meter: Meter) -> tuple[str, ...]:
    sampling = {"temperature", "seed"} & set(meter.refused)
    return tuple(name for name in ask.wishes() if name in sampling)


async def _answerable(
    ask: Ask, passages: Sequence[RetrievedPassage], threshold: float | None
) -> tuple[GuardrailResult, ...]:
    """No verdict where the version has no threshold."""
    if threshold is None:
        return ()
    confidence = await asyncio.to_thread(how_answerable, ask.query(), passages)
    return (answerable(confidence, threshold),)


class _Opening:
    """Holds a text back as long as it says that there is no answer, or may yet."""

    def __init__(self) -> None:
        self._held = ""
        self._is_open = True

    @property
    def says_no_answer(self) -> bool:
        return self._is_open and says_no_answer(self._held)

    def feed(self, piece: str) -> str:
        if not self._is_open:
            return piece
        self._held += piece
        if may_say_no_answer(self._held):
            return ""
        self._is_open = False
        return self._held.lstrip()

    def rest(self) -> str:
        return self._held if self._is_open else ""
