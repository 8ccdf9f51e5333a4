"""Lets the back end write."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gyre_common.events.interactions import GuardrailResult, Outcome
from gyre_common.events.releases import Roles
from gyre_common.telemetry import METRICS

from gyre_generator.backends import AnswerDraft, Ending, Ranking
from gyre_generator.progress import AnswerProgress, StepResult
from gyre_generator.prompts import Prompt
from gyre_generator.sentence_window import STOPPED

NO_ANSWER = "The indexed documents do not seem to answer this."
_NO_PASSAGES = GuardrailResult(
    name="passages", passed=False, detail="nothing was found that could be read"
)


async def generate(progress: AnswerProgress) -> AsyncGenerator[str | StepResult, None]:
    """What the back end writes, or that the passages hold no answer. Raises what it raises."""
    backend, passages = progress.latest(lambda report: report.backend), progress.packed_passages
    artifacts = progress.latest(lambda report: report.artifacts) or {}
    assert backend is not None, "no step before this one chose who writes"
    draft = AnswerDraft("", abstained=True, guardrails=(_NO_PASSAGES,))
    if passages:
        writing = backend.write(progress.ask, passages, artifacts, progress.examples)
        async with aclosing(writing) as pieces:
            async for piece in pieces:
                match piece:
                    case str():
                        yield piece
                    case AnswerDraft():
                        draft = piece
                    case Prompt(version=version, fallback=fallback):
                        yield StepResult(
                            prompt=piece,
                            versions={Roles.ANSWER_PROMPT: version},
                            fallbacks=(fallback,) if fallback else (),
                        )
    if draft.ranking is not None:
        yield _choice(draft.ranking)
    if draft.abstained:
        yield NO_ANSWER
    is_held = draft.ending is Ending.HELD
    if is_held:
        yield f"\n\n{STOPPED}" if draft.answer else STOPPED
    outcome = Outcome.ABSTAINED if draft.abstained or is_held else Outcome.ANSWERED
    yield StepResult(
        draft=draft, guardrails=draft.guardrails, outcome=outcome, ignored=draft.ignored
    )


def _choice(ranking: Ranking) -> StepResult:
    """Which of several answers was given, by what; and where it had to be chosen from fewer."""
    is_ranked = any(each is not None for each in ranking.rewards)
    rewards = ", ".join("none" if each is None else f"{each:.3f}" for each in ranking.rewards)
    detail = (
        f"{len(ranking.rewards)} of {ranking.wanted} drawn, rewards {rewards} by {ranking.judge}: "
        f"number {ranking.chosen + 1} was given"
    )
    fallbacks: tuple[str, ...] = ()
    if ranking.problem is not None:
        METRICS.fallbacks.labels("generator", "best_of").inc()
        fallbacks = (f"{Roles.GENERATOR}: not the best of {ranking.wanted}: {ranking.problem}",)
    return StepResult(
        guardrails=(
            GuardrailResult(name="best_of", passed=ranking.problem is None, detail=detail),
        ),
        fallbacks=fallbacks,
        versions={Roles.JUDGE: ranking.judge} if is_ranked else {},
        latency_ms={"judge": ranking.judge_ms},
    )
