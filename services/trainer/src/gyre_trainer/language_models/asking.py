"""Lets a version of the generator answer what was asked before, each question once."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from gyre_common.events.releases import Roles

from gyre_trainer.data_sets.question_context import VersionAnswer
from gyre_trainer.generator_calls import Generator
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import COMPARE

_AT_ONCE = 2

Answers = Mapping[str, VersionAnswer | None]
"""By question id; None where the question is too long for the version."""


async def answers_of(
    folder: RunFolder,
    generator: Generator,
    samples: Sequence[Sample],
    versions: Mapping[str, str],
    *,
    max_tokens: int,
    who: str,
    stage: str = COMPARE,
) -> Answers:
    """One a question, kept in `answers-<who>.jsonl`, by the digest of all that it depends on: what
    was written before an interruption, or by an earlier run whose folder is still there, is not
    written again. Raises FailedPrecondition: the version cannot answer; Retryable: the generator is
    away.
    """
    path = folder.path / f"answers-{who}.jsonl"
    written = _written([*folder.path.parent.glob(f"*/{path.name}"), path])
    task = {"versions": dict(versions), "max_tokens": max_tokens, "code": folder.spec().code}
    keys = {each.row.question_id: _key(each, task) for each in samples}
    answers = {name: written[key] for name, key in keys.items() if key in written}
    missing = [each for each in samples if each.row.question_id not in answers]
    slots = asyncio.Semaphore(_AT_ONCE)
    if missing:
        folder.progress(stage, message=f"{versions[Roles.GENERATOR]} is being loaded")
        await generator.try_version(missing[0].asked.tenant, versions[Roles.GENERATOR])

    async def ask(sample: Sample) -> None:
        async with slots:
            answer = await generator.answer(sample.asked, versions, max_tokens=max_tokens)
        answers[sample.row.question_id] = answer
        fields = answer and asdict(answer)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([keys[sample.row.question_id], fields]) + "\n")
        message = f"{who} answers questions"
        folder.progress(stage, len(answers), len(samples), message=message)

    async with asyncio.TaskGroup() as group:
        for sample in missing:
            group.create_task(ask(sample))
    return answers


def _key(sample: Sample, task: Mapping[str, object]) -> str:
    """Versions do not change under their name, and the likeliest words are always the same."""
    content = json.dumps([asdict(sample.asked), task], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


def _written(paths: Sequence[Path]) -> dict[str, VersionAnswer | None]:
    answers: dict[str, VersionAnswer | None] = {}
    for path in paths:
        if not path.exists():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                key, fields = json.loads(line)
            except ValueError:  # it was killed while it wrote
                continue
            answers[key] = fields and VersionAnswer(**fields)
    return answers
