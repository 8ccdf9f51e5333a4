"""Verb `compare`: lets live and the candidate answer the held-out questions; writes the verdict.

Both answer by way of the generator, from the passages that were read when the question was asked:
what is compared is what people would have read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gyre_common.events.releases import Roles

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.question_context import VersionAnswer
from gyre_trainer.generator_calls import open_generator
from gyre_trainer.language_models.adapters import check_base_of
from gyre_trainer.language_models.asking import answers_of
from gyre_trainer.language_models.config import BASE, AnswersConfig
from gyre_trainer.language_models.gate import compared, measure
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.keeping import keep_report
from gyre_trainer.language_models.report import as_markdown, verdict_of
from gyre_trainer.language_models.stopping import in_asking_order, looks_at
from gyre_trainer.runs.folder import RunFolder, write_json
from gyre_trainer.runs.verbs import COMPARE
from gyre_trainer.settings import TrainerSettings

UNAFFECTED = "its tenant has a version of its own, and keeps it"
_TOO_LONG = "the prompt is longer than the live model can read"
_NOTHING = VersionAnswer("")


@dataclass(frozen=True, kw_only=True)
class Judging:
    """The longest answer that is written, in tokens; how much a slice may lose, in points; and
    whether asking stops when the intervals decide.
    """

    answer_tokens: int
    margin: float
    stop_early: bool


async def compare_answers(
    folder: RunFolder, settings: TrainerSettings, config: AnswersConfig
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
    judging = Judging(
        answer_tokens=config.answer_tokens, margin=config.margin, stop_early=config.stop_early
    )
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
    data = RunData(folder)
    spec, all_held_out = data.spec, data.samples(DataSetPart.GATE)
    affected = [each for each in all_held_out if each.row.tenant not in spec.unaffected]
    golden = [each for each in affected if each.row.golden]
    held_out = in_asking_order([each for each in affected if not each.row.golden], str(spec.run_id))
    unaffected = len(all_held_out) - len(affected)
    async with open_generator(settings) as generator:
        for look in looks_at(held_out, early=judging.stop_early):
            samples = [*golden, *held_out[: look.questions]]
            answers = {
                side: await answers_of(
                    folder, generator, samples, versions, max_tokens=judging.answer_tokens, who=side
                )
                for side, versions in sides.items()
            }
            folder.progress(COMPARE, message="measuring")
            both = []
            for sample in samples:
                before, after = (answers[side][sample.row.question_id] for side in sides)
                if before is not None:  # who cannot read what live can has answered nothing
                    both.append(compared(sample, live=before, candidate=after or _NOTHING))
            report = measure(
                spec,
                data.inputs.data_set,
                both,
                look,
                held_out=len(held_out),
                margin=judging.margin,
                left_out={UNAFFECTED: unaffected, _TOO_LONG: len(samples) - len(both)},
            )
            if report.stopped:
                break
    stored = await keep_report(folder, report, as_markdown(report), settings)
    write_json(folder.verdict_file, verdict_of(report, stored))
