"""Answers and prompts from passages that the caller brings; nothing of it is recorded."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import new_id
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_generator.ask import Ask
from gyre_generator.backends.reading import how_answerable
from gyre_generator.passages import RetrievedPassage
from gyre_generator.progress import AnswerProgress, StepResult, Steps
from gyre_generator.prompts import Prompt, PromptError, Prompts
from gyre_generator.prompts.rendering import render_prompt, template_of
from gyre_generator.service import AnswerFinished, run_steps
from gyre_generator.steps.pack import pack_passages

RETRIEVE = "retrieve"
"""The step that is replaced."""


class GivenPassages:
    """Serves who compares versions, or trains one, with what was read once. `steps` are those of
    the answers that people get.
    """

    def __init__(self, steps: Steps, prompts: Prompts, releases: ReleaseView) -> None:
        self._steps = steps
        self._prompts = prompts
        self._releases = releases

    async def answer(self, ask: Ask, passages: Sequence[RetrievedPassage]) -> AnswerFinished:
        """What people would read. Raises as `Answerer.stream`, and what kept it from being the best
        of as many answers as the version wants: people would get less, and no version is judged so.
        """
        caller = request_context()
        ask.check(self._releases.versions(caller.tenant, Roles.GENERATOR))
        progress = AnswerProgress(ask, caller, new_id())
        steps: Steps = {**self._steps, RETRIEVE: partial(_give, passages=tuple(passages))}
        async with aclosing(run_steps(progress, steps)) as pieces:
            async for latest, _ in pieces:
                progress = latest
        ranking = progress.draft.ranking
        if ranking is not None and ranking.problem is not None:
            raise ranking.problem
        return AnswerFinished(progress.interaction(), progress.ignored, progress.ending)

    async def prompt(
        self, ask: Ask, passages: Sequence[RetrievedPassage], *, context_tokens: int
    ) -> tuple[Prompt, float]:
        """What a model would be sent, with so many passages as fit, by estimate, and without
        examples: one of them may be the answer itself. With it the confidence, 0 to 1, that these
        passages answer. Raises InvalidInput; FailedPrecondition where the version is not there or
        cannot be used.
        """
        ask.check(())
        resolved = self._releases.for_request(request_context(), "")
        version = resolved.versions[Roles.ANSWER_PROMPT]
        artifact = self._releases.artifact(Roles.ANSWER_PROMPT, version)
        fitting = pack_passages(passages, budget=context_tokens)
        try:
            prompt = render_prompt(self._prompts.load(*template_of(artifact)), ask, fitting)
        except PromptError as error:
            raise FailedPrecondition(str(error)) from error
        confidence = await asyncio.to_thread(how_answerable, ask.query(), fitting)
        return replace(prompt, version=version), confidence


async def _give(
    _: AnswerProgress, *, passages: tuple[RetrievedPassage, ...]
) -> AsyncGenerator[StepResult, None]:
    yield StepResult(retrieved=passages)
