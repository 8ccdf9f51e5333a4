"""What versions of the generator answer to questions whose answers people wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from gyre_common.events.releases import Roles
from gyre_common.no_answer import NO_ANSWER
from gyre_common.releases.builtin import GENERATOR_VERSION
from gyre_generator.passages import estimated_cost
from gyre_trainer.data_sets.question_context import PassageRead, QuestionContext, VersionAnswer
from gyre_trainer.generator_calls import Generator
from gyre_trainer.language_models.measures import measured

from bench.answers.data import Case
from bench.generator.runs import PROMPT
from bench.report import table

TENANT = "bench-generator"
ANSWER_TOKENS = 256


@dataclass(frozen=True)
class Result:
    """Of one question."""

    answerable: bool
    score: float
    token_f1: float
    declined: bool
    grounded: float | None
    well_cited: float | None
    seconds: float


def joined(paths: Sequence[Path]) -> dict[str, list[Result]]:
    """What several folds found, version by version."""
    results: dict[str, list[Result]] = {}
    for path in paths:
        for name, rows in json.loads(path.read_text()).items():
            results.setdefault(name, []).extend(Result(**row) for row in rows)
    return results


def keep(path: Path, results: Mapping[str, Sequence[Result]]) -> None:
    """For `joined`."""
    path.write_text(json.dumps({name: list(map(asdict, rows)) for name, rows in results.items()}))


def wanted_of(case: Case) -> str:
    """The first of the people's answers, or the word for none."""
    return case.gold_answers[0] if case.gold_answers else NO_ANSWER


def context_of(case: Case, context_tokens: int | None = None) -> QuestionContext:
    """As many passages as fit, or all."""
    read, left = [], context_tokens
    for one in case.passages:
        if left is not None:
            left -= estimated_cost(one)
            if left < 0:
                break
        read.append(PassageRead(str(one.chunk_id), one.document_id, one.heading, one.text))
    return QuestionContext(TENANT, case.question, (), tuple(read))


async def results_of(
    generator: Generator, version: str, cases: Sequence[Case], context_tokens: int
) -> list[Result]:
    """One after the other, as the local engine does; a language model reads what it learned on."""
    await generator.try_version(TENANT, version)
    budget = None if version == GENERATOR_VERSION else context_tokens
    versions = {Roles.GENERATOR.value: version}
    if budget:
        versions[Roles.ANSWER_PROMPT.value] = PROMPT
    results = []
    for case in cases:
        given = await generator.answer(context_of(case, budget), versions, max_tokens=ANSWER_TOKENS)
        answer = given or VersionAnswer("")
        measures = measured(answer, wanted_of(case), context_of(case, None).read)
        results.append(
            Result(
                answerable=bool(case.gold_answers),
                score=measures.score,
                token_f1=measures.token_f1,
                declined=measures.declined,
                grounded=measures.grounded,
                well_cited=measures.well_cited,
                seconds=answer.seconds,
            )
        )
    return results


def report(results: Mapping[str, Sequence[Result]]) -> str:
    """By version; the interval is of the mean ROUGE-L under resampling of questions."""
    rows = []
    for name, version_results in results.items():
        is_answerable = np.array([one.answerable for one in version_results])
        rouge = np.array([one.score for one in version_results])[is_answerable]
        f1 = np.array([one.token_f1 for one in version_results])[is_answerable]
        declined = np.array([one.declined for one in version_results])
        spoken = is_answerable & ~declined
        picks = np.random.default_rng(0).integers(0, len(rouge), (10_000, len(rouge)))
        low, high = np.percentile(rouge[picks].mean(axis=1), [2.5, 97.5])
        grounded = [one.grounded for one in version_results if one.grounded is not None]
        cited = [one.well_cited for one in version_results if one.well_cited is not None]
        rates = [(~declined)[is_answerable].mean()]
        if not is_answerable.all():
            rates.append(declined[~is_answerable].mean())
        of_spoken = [
            one.score for one, is_spoken in zip(version_results, spoken, strict=True) if is_spoken
        ]
        seconds = [one.seconds for one in version_results if one.seconds > 0.2] or [0.0]
        cells = (
            f"{rouge.mean():.3f} ({low:.3f} to {high:.3f})",
            f"{np.mean(of_spoken) if of_spoken else 0:.3f}",
            f"{f1.mean():.3f}",
            f"{np.mean(rates):.3f}",
            f"{declined[is_answerable].mean():.0%}",
            f"{np.mean(grounded) if grounded else 0:.3f}",
            f"{np.mean(cited) if cited else 0:.3f}",
            f"{np.mean(seconds):.1f}",
        )
        rows.append((name, *cells))
    head = (
        "version",
        "ROUGE-L, answerable (95 %)",
        "of those answered",
        "token F1",
        "abstention, balanced",
        "declined, answerable",
        "grounded",
        "right sources",
        "s an answer",
    )
    return table(head, rows)


def gains(results: Mapping[str, Sequence[Result]], over: str) -> str:
    """ROUGE-L over answerable questions, each version's less that of `over`; the interval is of the
    mean under resampling of questions, the same for both (paired).
    """
    before = _scores(results[over])
    picks = np.random.default_rng(0).integers(0, len(before), (10_000, len(before)))
    rows = []
    for name, version_results in results.items():
        if name != over:
            gain = _scores(version_results) - before
            low, high = np.percentile(gain[picks].mean(axis=1), [2.5, 97.5])
            rows.append((name, f"{gain.mean():+.3f} ({low:+.3f} to {high:+.3f})"))
    return table(("version", f"ROUGE-L over {over} (95 %)"), rows)


def _scores(version_results: Sequence[Result]) -> np.ndarray:
    return np.array([one.score for one in version_results if one.answerable])
