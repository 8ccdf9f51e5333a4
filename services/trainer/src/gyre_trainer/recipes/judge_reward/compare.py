"""Verb `compare`: lets live and the candidate judge the held-out pairs; writes the verdict.

Both judge by way of the judge service, from the passages that were read when the question was
asked: what is compared is what serves.
"""

from collections import Counter

from gyre_common.store import Store

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.judge_calls import open_judge
from gyre_trainer.language_models.inputs import LanguageModelFiles, RunData
from gyre_trainer.language_models.report import MARK
from gyre_trainer.recipes.judge_reward.asking import scores_of
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.gate import compared, measure
from gyre_trainer.recipes.judge_reward.report import GateReport, as_markdown, verdict_of
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """The verdict is written last. Raises FailedPrecondition: a version cannot judge, or the data
    were changed; Retryable: the judge or the store is away.
    """
    data, files = RunData(folder), LanguageModelFiles(folder)
    spec, held_out = data.spec, data.samples(DataSetPart.GATE)
    config = JudgeRewardConfig.from_settings(spec.settings)
    folder.progress(COMPARE, message=f"{spec.version} is being loaded")
    async with open_judge(settings) as judge:
        live, candidate = [
            await scores_of(folder, judge, held_out, version, who=who)
            for who, version in (
                ("live", spec.live[spec.role].version),
                ("candidate", spec.version),
            )
        ]
    folder.progress(COMPARE, message="measuring")
    left_out: Counter[str] = Counter()
    pairs = []
    for sample in held_out:
        before, after = (each[sample.row.question_id] for each in (live, candidate))
        if before is None or after is None:
            left_out["an answer is longer than the model can read"] += 1
        else:
            pairs.append(compared(sample, live=before, candidate=after))
    report = measure(spec, data.inputs.data_set, pairs, margin=config.margin, left_out=left_out)
    card = await _keep_card(folder, report, settings)
    write_json(files.report, report.model_copy(update={"card": card}))
    content, store = files.report.read_bytes(), Store(settings.store_url)
    stored = await retry_while_away(lambda: store.put(content), seconds=STORE_SECONDS)
    write_json(folder.verdict_file, verdict_of(report, stored))


async def _keep_card(folder: RunFolder, report: GateReport, settings: TrainerSettings) -> str:
    """The model card, complete, in the store; the artifact's own copy was written before."""
    card = (folder.candidate / "README.md").read_text(encoding="utf-8")
    complete = card.replace(MARK, as_markdown(report))
    LanguageModelFiles(folder).card.write_text(complete, encoding="utf-8")
    store = Store(settings.store_url)
    return (await retry_while_away(lambda: store.put(complete.encode()), seconds=STORE_SECONDS)).uri
