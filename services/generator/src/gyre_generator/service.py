"""Answers a question step by step, and records it before it counts as answered."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, Self

from gyre_common.context import request_context
from gyre_common.errors import GyreError, Unavailable
from gyre_common.events.event import derived_id
from gyre_common.events.interactions import INTERACTION_COMPLETED, InteractionCompleted, Outcome
from gyre_common.events.publisher import Publisher
from gyre_common.telemetry import METRICS

from gyre_generator.ask import Ask
from gyre_generator.backends import Delta
from gyre_generator.interaction import interaction
from gyre_generator.progress import AnswerProgress, StepResult, Steps
from gyre_generator.window import SentenceCheck, check_sentences

log = logging.getLogger(__name__)

SERVICE = "generator"
_DRAIN_SECONDS = 10.0


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
    """The interaction is safe; `record_ms` is what that took."""

    interaction: InteractionCompleted
    record_ms: float


class Answerer:
    """Question in, recorded answer out, through `steps` in their order; text leaves by sentences
    that all `checks` let pass. Leaving `async with` waits for records under way.
    """

    def __init__(
        self, steps: Steps, recorder: InteractionRecorder, checks: Sequence[SentenceCheck] = ()
    ) -> None:
        self._steps = steps
        self._recorder = recorder
        self._checks = checks
        self._recording_tasks: set[asyncio.Task[AnswerFinished]] = set()

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
        raise AssertionError("a stream ends with AnswerFinished or an error")

    async def stream(
        self, ask: Ask
    ) -> AsyncGenerator[AnswerStarted | Delta | AnswerFinished, None]:
        """`AnswerStarted`, the answer in pieces, `AnswerFinished` once Kafka has the interaction.

        An answer that fails or is cancelled is recorded as such.

        Raises:
            InvalidInput: the question is out of bounds; nothing is recorded.
            Unavailable: Kafka, the retriever or the model server is not there, or nonsense came
                from it. Without Kafka nothing is even begun.
            FailedPrecondition: a version that was asked for is not here.
        """
        ask.check()
        if not self._recorder.healthy():
            raise Unavailable(
                "Kafka cannot be reached, and nothing is answered that cannot be recorded: start "
                "it, or check GYRE_KAFKA_SERVERS",
                retry_after_seconds=5.0,
            )
        progress = AnswerProgress.begin(ask, request_context())
        ending, is_recorded = _ENDED_BY_BUG, False
        try:
            yield AnswerStarted(str(progress.interaction_id), progress.conversation_id)
            async with aclosing(self._run(progress)) as parts:
                async for part in parts:
                    if isinstance(part, AnswerProgress):
                        progress = part
                    else:
                        yield part
            is_recorded = True
            yield await self._record(progress)
        except (asyncio.CancelledError, GeneratorExit):
            ending = _ENDED_BY_CALLER
            raise
        except GyreError as error:
            ending = StepResult(outcome=Outcome.ERROR, error=str(error))
            raise
        finally:
            if not is_recorded:
                await self._record(progress.after(ending))

    async def _run(self, progress: AnswerProgress) -> AsyncGenerator[AnswerProgress | Delta, None]:
        """What is known by then, at each beginning of a step and after each report; and text."""
        for name, step in self._steps.items():
            yield (progress := progress.at(name))
            async with aclosing(check_sentences(step(progress), self._checks)) as parts:
                async for part in parts:
                    report = part if isinstance(part, StepResult) else StepResult(text=part.text)
                    yield (progress := progress.after(report))
                    if isinstance(part, Delta):
                        yield part
                    elif part.ends:
                        return

    async def _record(self, progress: AnswerProgress) -> AnswerFinished:
        """Record it; once begun this goes on even when the caller hangs up."""
        task = asyncio.create_task(self._publish(interaction(progress)))
        self._recording_tasks.add(task)
        task.add_done_callback(self._recording_tasks.discard)
        return await asyncio.shield(task)

    async def _publish(self, event: InteractionCompleted) -> AnswerFinished:
        started = time.perf_counter()
        await self._recorder.publish(
            INTERACTION_COMPLETED, event, event_id=derived_id(event.interaction_id, "completed")
        )
        _measure(event)
        log.info(
            "interaction recorded",
            extra={
                "interaction_id": str(event.interaction_id),
                "outcome": event.outcome,
                "ms": event.latency_ms.get("total"),
            },
        )
        return AnswerFinished(event, (time.perf_counter() - started) * 1000)


_ENDED_BY_BUG = StepResult(
    outcome=Outcome.ERROR, error="ended by a bug; the service's log tells more"
)
_ENDED_BY_CALLER = StepResult(
    outcome=Outcome.CANCELLED, error="the caller hung up, or its time ran out"
)


def latency(finished: AnswerFinished) -> Mapping[str, float]:
    """Milliseconds by stage, recording included, as the caller sees them."""
    stages = dict(finished.interaction.latency_ms)
    stages["record"] = round(finished.record_ms, 2)
    stages["total"] = round(stages.get("total", 0.0) + finished.record_ms, 2)
    return stages


def _measure(event: InteractionCompleted) -> None:
    METRICS.answers.labels(event.outcome).inc()
    METRICS.answer_tokens.labels("prompt").inc(event.tokens.prompt)
    METRICS.answer_tokens.labels("completion").inc(event.tokens.completion)
    for stage, ms in event.latency_ms.items():
        METRICS.stage_seconds.labels(SERVICE, stage).observe(ms / 1000)
