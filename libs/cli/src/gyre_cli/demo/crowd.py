"""A simulated crowd: it asks over the public API, looks at what is shown, and says what it thinks.

Somebody who looks at passage r of an answer (from 1) does so with probability r^-patience: people
look at what stands on top (Joachims et al. 2005, doi:10.1145/1076034.1076063). They may click what
answers their question, vote it up, and vote down what does not; some votes are wrong, many are
never given. Nobody says anything about a passage that was not shown.
"""

import random
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gyre.feedback.v1 import feedback_pb2
from gyre.generator.v1 import generator_pb2
from gyre_client import AsyncClient, Unavailable
from gyre_common.retrying import retry

from gyre_cli.demo.corpus import DemoQuestion
from gyre_cli.demo.turns import in_turns

Reply = TypeVar("Reply")

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Habits:
    """Probabilities. `wrong` is the share of votes that say the opposite of what is true."""

    wrong: float = 0.1
    skipped: float = 0.15
    """Nothing is said of a passage that answers the question."""
    down: float = 0.2
    """A passage that does not answer it, and was looked at, gets a vote."""
    click: float = 0.4
    stray_click: float = 0.01
    patience: float = 0.5
    actors: int = 40


@dataclass
class CrowdTally:
    """What the crowd did. `liked` are documents with a vote up, right or wrong."""

    questions: int = 0
    hits: int = 0
    """Questions for which a right passage was shown."""
    ups: int = 0
    downs: int = 0
    clicks: int = 0
    wrong: int = 0
    liked: set[str] = field(default_factory=set)
    last_word_at: float = 0.0
    """When the last feedback was safe, in monotonic seconds."""

    @property
    def votes(self) -> int:
        """Up and down."""
        return self.ups + self.downs


class Crowd:
    """The same seed and the same answers give the same words, in whatever order answers come."""

    def __init__(
        self,
        gyre: AsyncClient,
        *,
        habits: Habits,
        seed: int,
        at_once: int = 4,
    ) -> None:
        self._gyre = gyre
        self._habits = habits
        self._seed = seed
        self._at_once = at_once

    async def ask(
        self,
        questions: Sequence[DemoQuestion],
        on_progress: Callable[[CrowdTally], None],
        *,
        passes: int = 1,
    ) -> CrowdTally:
        """Everybody asks, `passes` times each question; `asked` hears of each that is done.

        Raises:
            GyreError: the system does not take questions or votes.
        """
        tally = CrowdTally()

        async def one(turn: tuple[int, DemoQuestion]) -> None:
            number, question = turn
            await self._one(question, number, tally)
            on_progress(tally)

        turns = [(number, question) for number in range(passes) for question in questions]
        await in_turns(turns, one, self._at_once)
        return tally

    async def _one(self, question: DemoQuestion, number: int, tally: CrowdTally) -> None:
        chance = random.Random(f"{self._seed}/{number}/{question.question_id}")
        actor = f"crowd-{chance.randrange(self._habits.actors)}"
        key, answers = str(uuid.uuid4()), self._gyre.with_caller(actor=actor).answers
        answer = await _with_retries(
            lambda: answers.ask(question.text, idempotency_key=key, timeout=_ANSWER_SECONDS)
        )
        tally.questions += 1
        tally.hits += any(p.document_id in question.relevant for p in answer.passages)
        for passage in answer.passages:
            for kind, value in self._words(passage, question, chance, tally):
                word = feedback_pb2.SubmitFeedbackRequest(
                    interaction_id=answer.interaction_id,
                    kind=kind,
                    value=value,
                    target=passage.chunk_id,
                    actor=actor,
                    idempotency_key=str(uuid.uuid4()),
                )
                await self._send_feedback(word)
                tally.last_word_at = time.monotonic()

    async def _send_feedback(self, word: feedback_pb2.SubmitFeedbackRequest) -> None:
        await _with_retries(lambda: self._gyre.feedback.record(word))

    def _words(
        self,
        passage: generator_pb2.Passage,
        question: DemoQuestion,
        chance: random.Random,
        tally: CrowdTally,
    ) -> list[tuple[feedback_pb2.Kind, str]]:
        """What is said of one passage. The same dice are thrown whatever is shown."""
        habits = self._habits
        looks, clicks, speaks, errs = (chance.random() for _ in range(4))
        if looks > passage.rank**-habits.patience:
            return []
        fits = passage.document_id in question.relevant
        words: list[tuple[feedback_pb2.Kind, str]] = []
        if clicks < (habits.click if fits else habits.stray_click):
            tally.clicks += 1
            words.append((feedback_pb2.KIND_IMPLICIT, "click"))
        if speaks < (1 - habits.skipped if fits else habits.down):
            wrong = errs < habits.wrong
            up = fits != wrong
            tally.wrong += wrong
            tally.ups += up
            tally.downs += not up
            if up:
                tally.liked.add(passage.document_id)
            words.append((feedback_pb2.KIND_CHUNK, "up" if up else "down"))
        return words


async def _with_retries(call: Callable[[], Awaitable[Reply]]) -> Reply:
    """Its idempotency key makes a second try the same request, also after a service's restart."""
    return await retry(call, Unavailable, first=1.0, longest=5.0, seconds=_ANSWER_SECONDS)
