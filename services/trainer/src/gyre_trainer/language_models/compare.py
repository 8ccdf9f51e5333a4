"""Verb `compare`: lets live and the candidate answer the held-out questions; writes the verdict.

Both answer by way of the generator, from the passages that were read when the question was asked:
what is compared is what people would have read.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gyre_common.events.releases import Roles
from gyre_common.store import Store

from gyre_trainer.data_sets.asked import VersionAnswer
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.generator_calls import Generator, open_generator
from gyre_trainer.language_models.adapters import check_base_of
from gyre_trainer.language_models.config import BASE, LanguageModelConfig
from gyre_trainer.language_models.gate import compared, measure
from gyre_trainer.language_models.inputs import LanguageModelFiles, RunData, Sample
from gyre_trainer.language_models.report import MARK, GateReport, as_markdown, verdict_of
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings

_AT_ONCE = 2

Answers = Mapping[str, VersionAnswer | None]
"""By question id; None where the question is too long for the version."""


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The longest answer that is written, in tokens, and how much a slice may lose, in points."""

    answer_tokens: int
    margin: float


async def compare_answers(
    folder: RunFolder, settings: TrainerSettings, config: LanguageModelConfig
) -> None:
    """Of a generator, each with the prompt that it was made for. Raises as `compare_versions`."""
    data = RunData(folder)
    spec = data.spec
    if BASE in folder.exported().settings:
        check_base_of(folder.candidate, data.inputs.base)
    live = spec.live[Roles.GENERATOR]
    live_prompt = live.settings.get("prompt") or spec.live[Roles.ANSWER_PROMPT].version
    sides: dict[str, dict[str, str]] = {
        "live": {Roles.GENERATOR: live.version, Roles.ANSWER_PROMPT: live_prompt},
        "candidate": {Roles.GENERATOR: spec.version, Roles.ANSWER_PROMPT: data.inputs.prompt},
    }
    judging = Judging(answer_tokens=config.answer_tokens, margin=config.margin)
    await compare_versions(folder, settings, sides, judging)


async def compare_versions(
    folder: RunFolder,
    settings: TrainerSettings,
    sides: Mapping[str, Mapping[str, str]],
    judging: Judging,
) -> None:
    """`sides` are the versions by role of `live` and of `candidate`. The verdict is written last.

    Raises FailedPrecondition: a version cannot answer, or the data were changed; Retryable: the
    generator or the store is away.
    """
    data, files = RunData(folder), LanguageModelFiles(folder)
    spec, held_out = data.spec, data.samples(DataSetPart.GATE)
    async with open_generator(settings) as generator:
        answers = {
            side: await _answers(folder, generator, held_out, versions, judging, side)
            for side, versions in sides.items()
        }
    folder.progress(COMPARE, message="measuring")
    left_out: Counter[str] = Counter()
    both = []
    for sample in held_out:
        before, after = (answers[side][sample.row.question_id] for side in sides)
        if before is None or after is None:
            left_out["the prompt is longer than the model can read"] += 1
        else:
            both.append(compared(sample, live=before, candidate=after))
    report = measure(spec, data.inputs.data_set, both, margin=judging.margin, left_out=left_out)
    card = await _keep_card(folder, report, settings)
    write_json(files.report, report.model_copy(update={"card": card}))
    content, store = files.report.read_bytes(), Store(settings.store_url)
    stored = await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
    write_json(folder.verdict_file, verdict_of(report, stored))


async def _answers(
    folder: RunFolder,
    generator: Generator,
    samples: Sequence[Sample],
    versions: Mapping[str, str],
    judging: Judging,
    side: str,
) -> Answers:
    """One a question; what was written before an interruption is not written again."""
    path = folder.path / f"answers-{side}.jsonl"
    answers = _written(path)
    missing = [each for each in samples if each.row.question_id not in answers]
    slots = asyncio.Semaphore(_AT_ONCE)
    if missing:
        folder.progress(COMPARE, message=f"{versions[Roles.GENERATOR]} is being loaded")
        await generator.try_version(missing[0].asked.tenant, versions[Roles.GENERATOR])

    async def ask(sample: Sample) -> None:
        async with slots:
            answer = await generator.answer(
                sample.asked, versions, max_tokens=judging.answer_tokens
            )
        answers[sample.row.question_id] = answer
        kept = answer and asdict(answer)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([sample.row.question_id, kept]) + "\n")
        message = f"{side} answers the held-out questions"
        folder.progress(COMPARE, len(answers), len(samples), message=message)

    async with asyncio.TaskGroup() as group:
        for sample in missing:
            group.create_task(ask(sample))
    return answers


def _written(path: Path) -> dict[str, VersionAnswer | None]:
    answers: dict[str, VersionAnswer | None] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                question_id, kept = json.loads(line)
            except ValueError:  # it was killed while it wrote
                continue
            answers[question_id] = kept and VersionAnswer(**kept)
    return answers


async def _keep_card(folder: RunFolder, report: GateReport, settings: TrainerSettings) -> str:
    """The model card, complete, in the store; the artifact's own copy was written before."""
    card = (folder.candidate / "README.md").read_text(encoding="utf-8")
    complete = card.replace(MARK, as_markdown(report))
    LanguageModelFiles(folder).card.write_text(complete, encoding="utf-8")
    store = Store(settings.store_url)
    return (await retry_while_away(lambda: store.put(complete.encode()), seconds=STORE_SECONDS)).uri
