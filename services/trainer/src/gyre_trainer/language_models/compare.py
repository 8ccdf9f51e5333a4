"""Verb `compare`: lets live and the candidate answer the held-out questions; writes the verdict."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from gyre_common.errors import FailedPrecondition
from gyre_common.model_folders import ModelFolders
from gyre_common.store import Store

from gyre_trainer.data_sets.answers import with_passages
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.adapters import check_base_of
from gyre_trainer.language_models.config import BASE, LanguageModelConfig
from gyre_trainer.language_models.gate import compared, measure
from gyre_trainer.language_models.inputs import LanguageModelFiles, RunData, Sample
from gyre_trainer.language_models.model_server import ModelServer
from gyre_trainer.language_models.report import MARK, GateReport, as_markdown, verdict_of
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings

_AT_ONCE = 2
_SERVER_SECONDS = 600.0

Answers = Mapping[str, str | None]
"""By question id; None where the prompt is too long for the model."""


async def compare_answers(
    folder: RunFolder, settings: TrainerSettings, config: LanguageModelConfig
) -> None:
    """The verdict is written last. Raises FailedPrecondition: the candidate cannot be served, or
    the data were changed; Retryable: the model server or the store is away.
    """
    data, files = RunData(folder), LanguageModelFiles(folder)
    spec = data.spec
    held_out = data.samples(DataSetPart.GATE)
    if settings.llm_url is None:
        raise FailedPrecondition(
            "no server of language models is named, so the candidate cannot be compared: set "
            "GYRE_LLM_URL for the trainer, as for the generator"
        )
    async with ModelServer(settings.llm_url, settings.llm_key, seconds=_SERVER_SECONDS) as server:
        live = await _live_answers(folder, data, settings, server, held_out, config)
        base = data.base_folder if BASE in folder.exported().settings else None
        if base:
            check_base_of(folder.candidate, data.inputs.base)
        async with server.holding(spec.version, folder.candidate, base=base):
            candidate = await _generate(folder, server, spec.version, held_out, config, "candidate")
    folder.progress(COMPARE, message="measuring")
    left_out: Counter[str] = Counter()
    answers = []
    for sample in held_out:
        question_id = sample.row.question_id
        before, after = live.get(question_id), candidate.get(question_id)
        if question_id not in live:
            left_out["live was not asked: another version had answered"] += 1
        elif before is None or after is None:
            left_out["the prompt is longer than the model can read"] += 1
        else:
            answers.append(compared(sample, live=before, candidate=after))
    report = measure(spec, data.inputs.data_set, answers, margin=config.margin, left_out=left_out)
    card = await _keep_card(folder, report, settings)
    write_json(files.report, report.model_copy(update={"card": card}))
    content, store = files.report.read_bytes(), Store(settings.store_url)
    stored = await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
    write_json(folder.verdict_file, verdict_of(report, stored))


async def _live_answers(
    folder: RunFolder,
    data: RunData,
    settings: TrainerSettings,
    server: ModelServer,
    samples: Sequence[Sample],
    config: LanguageModelConfig,
) -> Answers:
    """Written now, by a language model; one that quotes has given its answers already."""
    live = data.spec.live[data.spec.role]
    if live.settings.get("backend") != "openai":
        return {each.row.question_id: each.said for each in samples if each.by == live.version}
    name = live.settings.get("model", live.version)
    async with AsyncExitStack() as stack:
        if live.version == data.inputs.base.version:
            holding = server.holding(name, data.base_folder, base=None)
            await stack.enter_async_context(holding)
        elif live.uri is not None:
            models = ModelFolders(Store(settings.store_url), settings.model_cache)
            path = await retry_while_away(lambda: models.folder(live), seconds=STORE_SECONDS)
            base = data.base_folder if BASE in live.settings else None
            if base and not await server.holds(name):
                check_base_of(path, data.inputs.base)
            await stack.enter_async_context(server.holding(name, path, base=base))
        return await _generate(folder, server, name, samples, config, "live")


async def _generate(
    folder: RunFolder,
    server: ModelServer,
    model: str,
    samples: Sequence[Sample],
    config: LanguageModelConfig,
    side: str,
) -> Answers:
    """One answer a question; what was written before an interruption is not written again."""
    path = folder.path / f"answers-{side}.jsonl"
    answers = _written(path)
    missing = [each for each in samples if each.row.question_id not in answers]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(sample: Sample) -> None:
        async with slots:
            answer = await server.answer(
                model,
                with_passages(sample.system, sample.passages),
                with_passages(sample.user, sample.passages),
                max_tokens=config.answer_tokens,
            )
        answers[sample.row.question_id] = answer
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([sample.row.question_id, answer]) + "\n")
        message = f"{side} answers the held-out questions"
        folder.progress(COMPARE, len(answers), len(samples), message=message)

    async with asyncio.TaskGroup() as group:
        for sample in missing:
            group.create_task(ask(sample))
    return answers


def _written(path: Path) -> dict[str, str | None]:
    answers: dict[str, str | None] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                question_id, answer = json.loads(line)
            except ValueError:  # it was killed while it wrote
                continue
            answers[question_id] = answer
    return answers


async def _keep_card(folder: RunFolder, report: GateReport, settings: TrainerSettings) -> str:
    """The model card, complete, in the store; the artifact's own copy was written before."""
    card = (folder.candidate / "README.md").read_text(encoding="utf-8")
    complete = card.replace(MARK, as_markdown(report))
    LanguageModelFiles(folder).card.write_text(complete, encoding="utf-8")
    store = Store(settings.store_url)
    return (await retry_while_away(lambda: store.put(complete.encode()), seconds=STORE_SECONDS)).uri
