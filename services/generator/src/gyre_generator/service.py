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

from gyre_generator.asking import Ask
from gyre_generator.backends import Delta
from gyre_generator.interaction import interaction
from gyre_generator.progress import Progress, Report, Steps
from gyre_generator.window import SentenceCheck, checked

log = logging.getLogger(__name__)

SERVICE = "generator"
_DRAIN_SECONDS = 10.0


class Record(Publisher, Protocol):
    """Where interactions are recorded."""

    def healthy(self) -> bool:
        """Whether an event that is published now has a chance."""


@dataclass(frozen=True, slots=True)
class Started:
    """The question was let in."""

    interaction_id: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The interaction is safe; `record_ms` is what that took."""

    interaction: InteractionCompleted
    record_ms: float


class Answerer:
    """Question in, recorded answer out, through `steps` in their order; text leaves by sentences
    that all `checks` let pass. Leaving `async with` waits for records under way.
    """

    def __init__(self, steps: Steps, record: Record, checks: Sequence[SentenceCheck] = ()) -> None:
        self._steps = steps
        self._record = record
        self._checks = checks
        self._recording: set[asyncio.Task[Finished]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._recording:
            await asyncio.wait(self._recording, timeout=_DRAIN_SECONDS)

    async def answer(self, ask: Ask) -> Finished:
        """The whole answer at once. Raises as `stream` does."""
        async with aclosing(self.stream(ask)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    return piece
        raise AssertionError("a stream ends with Finished or an error")

    async def stream(self, ask: Ask) -> AsyncGenerator[Started | Delta | Finished, None]:
        """`Started`, then the answer in pieces, then `Finished` once Kafka has the interaction.

        An answer that fails or is cancelled is recorded as such.

        Raises:
            InvalidInput: the question is out of bounds; nothing is recorded.
            Unavailable: Kafka, the retriever or the model server is not there, or nonsense came
                from it. Without Kafka nothing is even begun.
            FailedPrecondition: a version that was asked for is not here.
        """
        ask.check()
        if not self._record.healthy():
            raise Unavailable(
                "Kafka cannot be reached, and nothing is answered that cannot be recorded: start "
                "it, or check GYRE_KAFKA_SERVERS",
                retry_after_seconds=5.0,
            )
        progress = Progress.begin(ask, request_context())
        ending, recording = _A_BUG, False
        try:
            yield Started(str(progress.interaction_id), progress.conversation_id)
            async with aclosing(self._run(progress)) as parts:
                async for part in parts:
                    if isinstance(part, Progress):
                        progress = part
                    else:
                        yield part
            recording = True
            yield await self._keep(progress)
        except (asyncio.CancelledError, GeneratorExit):
            ending = _HUNG_UP
            raise
        except GyreError as error:
            ending = Report(outcome=Outcome.ERROR, error=str(error))
            raise
        finally:
            if not recording:
                await self._keep(progress.after(ending))

    async def _run(self, progress: Progress) -> AsyncGenerator[Progress | Delta, None]:
        """What is known by then, at each beginning of a step and after each report; and text."""
        for name, step in self._steps.items():
            yield (progress := progress.at(name))
            async with aclosing(checked(step(progress), self._checks)) as parts:
                async for part in parts:
                    report = part if isinstance(part, Report) else Report(text=part.text)
                    yield (progress := progress.after(report))
                    if isinstance(part, Delta):
                        yield part
                    elif part.ends:
                        return

    async def _keep(self, progress: Progress) -> Finished:
        """Record it; once begun this goes on even when the caller hangs up."""
        task = asyncio.create_task(self._publish(interaction(progress)))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return await asyncio.shield(task)

    async def _publish(self, event: InteractionCompleted) -> Finished:
        begun = time.perf_counter()
        await self._record.publish(
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
        return Finished(event, (time.perf_counter() - begun) * 1000)


_A_BUG = Report(outcome=Outcome.ERROR, error="ended by a bug; the service's log tells more")
_HUNG_UP = Report(outcome=Outcome.CANCELLED, error="the caller hung up, or its time ran out")


def latency(finished: Finished) -> Mapping[str, float]:
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
