"""Draws several answers, and gives the one that a version of the judge finds best."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from gyre.judge.v1 import judge_pb2 as pb
from gyre_common.best_of import BestOf, best_of
from gyre_common.context import request_context, use_versions
from gyre_common.errors import (
    EMPTY_ANSWER,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    Unavailable,
)
from gyre_common.events.interactions import TokenUsage
from gyre_common.events.releases import Roles
from gyre_common.reward_input import METRIC

from gyre_generator.ask import Ask
from gyre_generator.backends import (
    AnswerDraft,
    Artifacts,
    Choose,
    Ending,
    Examples,
    Piece,
    Ranking,
    WindowedBackend,
)
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt

AFTERWARDS_SECONDS = 1.0
"""Of a request's time, for what follows the choice: citations, and the record."""

JudgeCall = Callable[[pb.JudgeRequest], Awaitable[pb.JudgeResponse]]
"""The judge's RPC: tenant, versions and deadline of the context go along."""


async def reward(
    judge: JudgeCall, version: str, question: str, passages: Sequence[RetrievedPassage], answer: str
) -> float:
    """What that version says of an answer, 0 to 1. Raises FailedPrecondition where it cannot score
    this, or is none that gives rewards; Unavailable where it is away or too slow.
    """
    ranked = sorted(passages, key=lambda passage: passage.rank)
    request = pb.JudgeRequest(
        question=question, answer=answer, passages=[passage.text for passage in ranked]
    )
    try:
        with use_versions({Roles.JUDGE: version}):
            reply = await judge(request)
    except (Unavailable, DeadlineExceeded) as error:
        fix = "start it, or raise GYRE_JUDGE_SECONDS, or give the request more time"
        raise Unavailable(f"the judge is away or too slow ({error}): {fix}") from error
    for score in reply.scores:
        if score.metric == METRIC and score.HasField("value"):
            return score.value
    raise FailedPrecondition(f"{Roles.JUDGE} {version} gives no {METRIC}")


@dataclass
class _Drawn:
    """`empty` is what the back end raises for an answer without a word."""

    draft: AnswerDraft
    reward: float | None = None
    empty: FailedPrecondition | None = None

    @property
    def answers(self) -> bool:
        draft = self.draft
        return bool(draft.answer) and not draft.abstained and draft.ending is not Ending.HELD


class BestOfBackend:
    """Implements `WindowedBackend` by another one. A version with the setting `best_of` has it
    write so often, one answer after the other, each scored before the next: a judge that is away
    costs no further answer, and time that runs out leaves the best so far. Nothing leaves before.

    A request at temperature 0 is answered once, as every answer would be the same; and so is one
    for which the back end asks no model.
    """

    def __init__(self, backend: WindowedBackend, judge: JudgeCall) -> None:
        self._backend = backend
        self._judge = judge

    @property
    def ignores(self) -> Collection[str]:
        """See `Backend`."""
        return self._backend.ignores

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        """See `WindowedBackend`."""
        return await self._backend.fit(ask, artifacts, choose, budget, examples)

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`. A judge that fails, or a further answer that does, ends the drawing: the
        draft's `ranking` says so.
        """
        generator = artifacts.get(Roles.GENERATOR)
        wanted = best_of(generator) if generator else None
        if wanted is None or ask.temperature == 0:
            async with aclosing(self._backend.write(ask, passages, artifacts, examples)) as pieces:
                async for piece in pieces:
                    yield piece
            return

        def written(number: int) -> AsyncGenerator[Piece, None]:
            return self._backend.write(_nth(ask, wanted, number), passages, artifacts, examples)

        began, is_model_used, drawn = time.monotonic(), False, list[_Drawn]()
        async with aclosing(_drawing(written(0))) as parts:
            async for part in parts:
                if isinstance(part, _Drawn):
                    drawn.append(part)
                else:
                    is_model_used = True
                    yield part
        if not is_model_used:
            yield drawn[0].draft
            return

        judging = _Judging(self._judge, wanted.reward, ask.question, passages)
        problem = await _draw_on(drawn, wanted, written, judging, began)
        best = max(range(len(drawn)), key=lambda at: _order(drawn[at]))  # the first of the best
        draft, empty = drawn[best].draft, drawn[best].empty
        if empty is not None:
            raise empty
        if draft.answer:
            yield draft.answer
        yield replace(
            draft,
            ignored=tuple(name for name in draft.ignored if name in ask.wishes()),
            tokens=_sum_of([each.draft.tokens for each in drawn]),
            cost_usd=sum(each.draft.cost_usd for each in drawn),
            ranking=Ranking(
                judge=wanted.reward,
                wanted=wanted.best_of,
                rewards=tuple(each.reward for each in drawn),
                chosen=best,
                judge_ms=judging.seconds * 1000,
                problem=problem,
            ),
        )


class _Judging:
    """Scores the answers to one question; the same words are scored once."""

    def __init__(
        self,
        judge: JudgeCall,
        version: str,
        question: str,
        passages: Sequence[RetrievedPassage],
    ) -> None:
        self._judge = judge
        self._version = version
        self._question = question
        self._passages = passages
        self._known: dict[str, float] = {}
        self.seconds = 0.0

    async def reward(self, answer: str) -> float:
        """Raises as `reward` does."""
        if answer not in self._known:
            began = time.monotonic()
            try:
                self._known[answer] = await reward(
                    self._judge, self._version, self._question, self._passages, answer
                )
            finally:
                self.seconds += time.monotonic() - began
        return self._known[answer]


async def _draw_on(
    drawn: list[_Drawn],
    wanted: BestOf,
    written: Callable[[int], AsyncGenerator[Piece, None]],
    judging: _Judging,
    began: float,
) -> GyreError | None:
    """Score the first answer, which was begun at that moment, and go on, one after the other, as
    long as there is time for one more; say what kept it from being as many as are wanted.
    """
    longest = 0.0
    try:
        async with asyncio.timeout(_seconds_left()):
            while True:
                if drawn[-1].answers:
                    drawn[-1].reward = await judging.reward(drawn[-1].draft.answer)
                if len(drawn) == wanted.best_of:
                    return None
                longest = max(longest, time.monotonic() - began)
                left = _seconds_left()
                if left is not None and left < longest:
                    break
                began = time.monotonic()
                async with aclosing(_drawing(written(len(drawn)))) as parts:
                    drawn += [part async for part in parts if isinstance(part, _Drawn)]
    except TimeoutError:
        pass
    except GyreError as error:
        return error
    return DeadlineExceeded("no time was left for more")


async def _drawing(writing: AsyncGenerator[Piece, None]) -> AsyncGenerator[Prompt | _Drawn, None]:
    """The prompt, and what came of it."""
    try:
        async with aclosing(writing) as pieces:
            async for piece in pieces:
                if isinstance(piece, AnswerDraft):
                    yield _Drawn(piece)
                elif isinstance(piece, Prompt):
                    yield piece
    except FailedPrecondition as error:
        if error.code != EMPTY_ANSWER:
            raise
        yield _Drawn(AnswerDraft("", abstained=True), empty=error)


def _nth(ask: Ask, wanted: BestOf, number: int) -> Ask:
    temperature = wanted.best_of_temperature if ask.temperature is None else ask.temperature
    seed = None if ask.seed is None else ask.seed + number
    return replace(ask, temperature=temperature, seed=seed)


def _order(drawn: _Drawn) -> tuple[bool, bool, float]:
    reward_or_less = -1.0 if drawn.reward is None else drawn.reward
    return drawn.answers, drawn.empty is None, reward_or_less


def _seconds_left() -> float | None:
    remaining = request_context().remaining()
    return None if remaining is None else remaining - AFTERWARDS_SECONDS


def _sum_of(tokens: Sequence[TokenUsage]) -> TokenUsage:
    return TokenUsage(
        prompt=sum(each.prompt for each in tokens),
        completion=sum(each.completion for each in tokens),
        estimated=any(each.estimated for each in tokens),
    )
