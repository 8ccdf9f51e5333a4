"""Lets the chosen back end write, or says that the passages hold no answer."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gyre_common.events.interactions import GuardrailResult, Outcome
from gyre_common.events.releases import Roles

from gyre_generator.backends import Delta, Draft, Piece, Prompted, Task
from gyre_generator.progress import Progress, Report

NO_ANSWER = "The indexed documents do not seem to answer this."
NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)


async def generate(progress: Progress) -> AsyncGenerator[Delta | Report, None]:
    """Raises what the back end raises."""
    draft = Draft("", abstained=True, guardrails=(NO_PASSAGES,))
    if progress.packed:
        async with aclosing(_write(progress)) as pieces:
            async for piece in pieces:
                match piece:
                    case Delta():
                        yield piece
                    case Draft():
                        draft = piece
                    case Prompted(version=version, fallback=fallback):
                        yield Report(
                            prompted=piece,
                            versions={Roles.ANSWER_PROMPT: version},
                            fallbacks=(fallback,) if fallback else (),
                        )
    if draft.abstained:
        yield Delta(NO_ANSWER)
    outcome = Outcome.ABSTAINED if draft.abstained else Outcome.ANSWERED
    yield Report(draft=draft, guardrails=draft.guardrails, outcome=outcome)


def _write(progress: Progress) -> AsyncGenerator[Piece, None]:
    route, ask = progress.latest(lambda report: report.route), progress.ask
    assert route is not None, "no step before this one chose who writes"
    task = Task(
        question=ask.question,
        query=ask.query(),
        passages=progress.packed,
        history=ask.history,
        generator=route.generator,
        prompt=route.prompt,
    )
    return route.backend.write(task)
