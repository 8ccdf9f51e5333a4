"""Verb `compare`: lets live and the candidate judge the held-out pairs; writes the verdict.

Both judge by way of the judge service, from the passages that were read when the question was
asked: what is compared is what serves.
"""

from collections import Counter

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.judge_calls import open_judge
from gyre_trainer.language_models.compare import UNAFFECTED
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.keeping import keep_report
from gyre_trainer.recipes.judge_reward.asking import scores_of
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.gate import compared, measure
from gyre_trainer.recipes.judge_reward.report import as_markdown, verdict_of
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings


async def compare(folder: RunFolder, settings: TrainerSettings) -> None:
    """The verdict is written last. Raises FailedPrecondition: a version cannot judge, or the data
    were changed; Retryable: the judge or the store is away.
    """
    data = RunData(folder)
    spec, all_held_out = data.spec, data.samples(DataSetPart.GATE)
    held_out = [each for each in all_held_out if each.row.tenant not in spec.unaffected]
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
    left_out = Counter({UNAFFECTED: len(all_held_out) - len(held_out)})
    pairs = []
    for sample in held_out:
        before, after = (each[sample.row.question_id] for each in (live, candidate))
        if before is None:
            left_out["an answer is longer than the live model can read"] += 1
        else:
            pairs.append(compared(sample, live=before, candidate=after))
    report = measure(spec, data.inputs.data_set, pairs, margin=config.margin, left_out=left_out)
    stored = await keep_report(folder, report, as_markdown(report), settings)
    write_json(folder.verdict_file, verdict_of(report, stored))
