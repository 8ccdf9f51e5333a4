"""Answers a question step by step, and records it before it counts as answered."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, Self

from gyre_common.context import request_context
from gyre_common.errors import GyreError, Unavailable
from gyre_common.events.event import derived_id
from gyre_common.events.interactions import (
    INTERACTION_COMPLETED,
    GuardrailResult,
    InteractionCompleted,
    Outcome,
)
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Roles
from gyre_common.idempotency import UsedKeys
from gyre_common.releases import ReleaseView
from gyre_common.telemetry import METRICS

from gyre_generator.ask import Ask
from gyre_generator.backends import Ending
from gyre_generator.progress import AnswerProgress, StepResult, Steps, as_recorded
from gyre_generator.sentence_window import STOPPED, SentenceWindow

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 10.0
_BUG = StepResult(outcome=Outcome.ERROR, error="ended by a bug; the service's log tells more")
_HUNG_UP = StepResult(outcome=Outcome.CANCELLED, error="the caller hung up, or its time ran out")

SentenceCheck = Callable[[str], Awaitable[GuardrailResult | None]]
"""Sees each sentence of an answer before the caller does: the verdict that stops it, or None."""

Parts = AsyncGenerator[str | StepResult, None]


class InteractionRecorder(Publisher, Protocol):
    """Where interactions are recorded."""

    def healthy(self) -> bool:
        """Whether an event that is published now has a chance."""


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """The question was let in."""

    interaction_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    """The interaction is safe; what answered did not honour the fields in `ignored`."""

    interaction: InteractionCompleted
    ignored: tuple[str, ...]
    ending: Ending


AnswerPiece = AnswerStarted | str | AnswerFinished
"""The first, any number of texts, and the last of an answer."""


class Answerer:
    """Question in, recorded answer out, through `steps` in their order; text leaves by sentences
    that all `checks` let pass. Leaving `async with` waits for records under way.
    """

    def __init__(
        self,
        steps: Steps,
        recorder: InteractionRecorder,
        releases: ReleaseView,
        checks: Sequence[SentenceCheck] = (),
    ) -> None:
        self._steps = steps
        self._releases = releases
        self._recorder = recorder
        self._checks = checks
        self._used_keys = UsedKeys()
        self._recording_tasks: set[asyncio.Task[InteractionCompleted]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._recording_tasks:
            await asyncio.wait(self._recording_tasks, timeout=_DRAIN_SECONDS)

    async def answer(self, ask: Ask) -> AnswerFinished:
        """The whole answer at once. Raises as `stream` does."""
        async with aclosing(self.stream(ask)) as pieces:
            async for piece in pieces:
                if isinstance(piece, AnswerFinished):
                    return piece
        raise AssertionError("a stream ends with the interaction or an error")

    async def stream(self, ask: Ask) -> AsyncGenerator[AnswerPiece, None]:
        """The text leaves as it comes, the interaction once Kafka has it; its latency then tells of
        recording too. An answer that fails or is cancelled is recorded as such.

        Raises InvalidInput, also where the idempotency key came with another question, and nothing
        is recorded; Unavailable where something is not there or
        sends nonsense (without Kafka nothing is begun); FailedPrecondition for a missing version.
        """
        caller = request_context()
        ask.check(self._releases.versions(caller.tenant, Roles.GENERATOR))
        if not self._recorder.healthy():
            raise Unavailable(
                "Kafka cannot be reached, and nothing is answered that cannot be recorded: start "
                "it, or check GYRE_KAFKA_SERVERS",
                retry_after_seconds=5.0,
            )
        self._used_keys.check(
            ask.idempotency_key, caller.tenant, ask.actor, fingerprint=ask.fingerprint()
        )
        interaction_id = ask.interaction_id(caller.tenant)
        progress = AnswerProgress(ask, ask.with_version(caller), interaction_id)
        ending, is_recorded = _BUG, False
        try:
            yield AnswerStarted(str(progress.interaction_id), progress.conversation_id)
            async with aclosing(run_steps(progress, self._steps, self._checks)) as pieces:
                async for latest, text in pieces:
                    progress = latest
                    if text:
                        yield text
            is_recorded = True
            interaction = await self._record(progress)
            yield AnswerFinished(interaction, progress.ignored, progress.ending)
        except (asyncio.CancelledError, GeneratorExit):
            ending = _HUNG_UP
            raise
        except GyreError as error:
            ending = StepResult(outcome=Outcome.ERROR, error=str(error))
            raise
        finally:
            if not is_recorded:
                await self._record(progress.after(ending))

    async def _record(self, progress: AnswerProgress) -> InteractionCompleted:
        """Record it; once begun this goes on even when the caller hangs up."""
        task = asyncio.create_task(self._publish(progress.interaction()))
        self._recording_tasks.add(task)
        task.add_done_callback(self._recording_tasks.discard)
        return await asyncio.shield(task)

    async def _publish(self, event: InteractionCompleted) -> InteractionCompleted:
        started = time.perf_counter()
        event_id = derived_id(event.interaction_id, "completed")
        # In a thread: what is recorded of long passages is redacted, and others are being answered.
        recorded = await asyncio.to_thread(as_recorded, event)
        await self._recorder.publish(INTERACTION_COMPLETED, recorded, event_id=event_id)
        record_ms = (time.perf_counter() - started) * 1000
        METRICS.answers.labels(event.outcome).inc()
        METRICS.answer_tokens.labels("prompt").inc(event.tokens.prompt)
        METRICS.answer_tokens.labels("completion").inc(event.tokens.completion)
        for stage, ms in event.latency_ms.items():
            METRICS.stage_seconds.labels("generator", stage).observe(ms / 1000)
        total = event.latency_ms["total"]
        fields = {"interaction_id": str(event.interaction_id), "outcome": event.outcome}
        log.info("interaction recorded", extra={**fields, "ms": total})
        recording = {"record": round(record_ms, 2), "total": round(total + record_ms, 2)}
        return event.model_copy(update={"latency_ms": {**event.latency_ms, **recording}})


async def run_steps(
    progress: AnswerProgress, steps: Steps, checks: Sequence[SentenceCheck] = ()
) -> AsyncGenerator[tuple[AnswerProgress, str], None]:
    """What is known when a step begins and after each of its parts, with the part's text."""
    for name, step in steps.items():
        progress = progress.at(name)
        yield progress, ""
        async with aclosing(check_sentences(step(progress), checks)) as parts:
            async for part in parts:
                progress = progress.after(part)
                yield progress, part if isinstance(part, str) else ""
        if progress.latest(lambda report: report.ends or None):
            return


async def check_sentences(parts: Parts, checks: Sequence[SentenceCheck]) -> Parts:
    """The same text by whole sentences; reports pass at once. Where a check stops one, `parts` is
    closed, and the last report ends the answer with the verdict.
    """
    any_text_sent = False
    async with aclosing(parts), aclosing(_by_sentence(parts)) as sentence_parts:
        async for part in sentence_parts:
            if isinstance(part, str):
                for check in checks:
                    if verdict := await check(part):
                        yield f"\n\n{STOPPED}" if any_text_sent else STOPPED
                        yield StepResult(
                            guardrails=(verdict,), outcome=Outcome.ABSTAINED, ends=True
                        )
                        return
                any_text_sent = True
            yield part


async def _by_sentence(parts: Parts) -> Parts:
    window = SentenceWindow()
    async for part in parts:
        if isinstance(part, StepResult):
            yield part
        else:
            for sentence in window.feed(part):
                yield sentence
    for sentence in window.rest():
        yield sentence
