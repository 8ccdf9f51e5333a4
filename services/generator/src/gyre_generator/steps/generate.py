"""Lets the chosen back end write, or says that the passages hold no answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gyre_common.events.interactions import GuardrailResult, Outcome
from gyre_common.events.releases import Roles

from gyre_generator.backends import AnswerDraft, Delta, Piece, PromptRecord, WritingTask
from gyre_generator.progress import AnswerProgress, StepResult

NO_ANSWER = "The indexed documents do not seem to answer this."
NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)


async def generate(progress: AnswerProgress) -> AsyncGenerator[Delta | StepResult, None]:
    """Raises what the back end raises."""
    draft = AnswerDraft("", abstained=True, guardrails=(NO_PASSAGES,))
    if progress.packed_passages:
        async with aclosing(_write(progress)) as pieces:
            async for piece in pieces:
                match piece:
                    case Delta():
                        yield piece
                    case AnswerDraft():
                        draft = piece
                    case PromptRecord(version=version, fallback=fallback):
                        yield StepResult(
                            prompt_record=piece,
                            versions={Roles.ANSWER_PROMPT: version},
                            fallbacks=(fallback,) if fallback else (),
                        )
    if draft.abstained:
        yield Delta(NO_ANSWER)
    outcome = Outcome.ABSTAINED if draft.abstained else Outcome.ANSWERED
    yield StepResult(draft=draft, guardrails=draft.guardrails, outcome=outcome)


def _write(progress: AnswerProgress) -> AsyncGenerator[Piece, None]:
    route, ask = progress.latest(lambda report: report.route), progress.ask
    assert route is not None, "no step before this one chose who writes"
    task = WritingTask(
        question=ask.question,
        query=ask.query(),
        passages=progress.packed_passages,
        history=ask.history,
        generator=route.generator,
        prompt=route.prompt,
    )
    return route.backend.write(task)
