"""Verb `prepare`: freezes what people wrote and liked, with what was read for it."""

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import digest_of_file
from gyre_common.releases.fitting import prompt_of
from gyre_common.store import Shelf

from gyre_trainer.data_sets.answer_freezing import freeze_answers
from gyre_trainer.data_sets.answer_joining import Wanted
from gyre_trainer.data_sets.answers import answer_texts
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.language_models.config import OPENAI
from gyre_trainer.language_models.inputs import (
    Inputs,
    LanguageModelRunFiles,
    Sample,
    write_samples,
)
from gyre_trainer.language_models.prepare import freeze_and_store, mark_prepared
from gyre_trainer.recipes.prompt_few_shot.config import BASE, FewShotConfig
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.settings import TrainerSettings

_CONTEXT_TOKENS = 3_000
"""Of passages, where somebody has the data set's prompts rendered for another trainer."""


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """`prepared.json` is last. Raises FailedPrecondition: too little to show, or nobody that would
    read it; Retryable: the store is away.
    """
    spec, files = folder.spec(), LanguageModelRunFiles(folder)
    config = FewShotConfig.from_settings(spec.settings)
    base = template_version(spec)
    check_readers(spec)
    segments = Segments(Shelf(settings.store_url, FOLDER))
    wanted = Wanted(base.version, _CONTEXT_TOKENS, restricted=config.restricted)
    frozen = await freeze_and_store(
        folder, segments, settings, freeze_answers, wanted=wanted, liked_weight=config.liked_weight
    )
    texts = await retry_while_away(
        lambda: answer_texts(frozen, segments, _unprompted), seconds=STORE_SECONDS
    )
    samples = (
        Sample(row=row, asked=each.context, system="", user="", passages={}, answer=each.answer)
        for row, each in texts
    )
    write_samples(files.samples, samples)
    inputs = Inputs(
        base=base,
        prompt=base.version,
        data_set=frozen.digest,
        samples_digest=digest_of_file(files.samples) or "",
    )
    write_json(files.inputs, inputs)
    mark_prepared(folder, frozen)


def template_version(spec: RunSpec) -> Artifact:
    """The version whose template is filled in. Raises FailedPrecondition where it has its own
    examples.
    """
    base = spec.base_artifact
    if base is None:
        raise FailedPrecondition("the run names no base: start another run")
    if template := base.settings.get("template"):
        raise FailedPrecondition(
            f"{base.version} has examples of its own: name the template that it fills in, by "
            f"`--set {BASE}={template}`"
        )
    return base


def check_readers(spec: RunSpec) -> None:
    """Raises FailedPrecondition where the tenant's generator would not read the examples, or
    nobody's in particular should.
    """
    if spec.tenant == EVERY_TENANT:
        raise FailedPrecondition(
            "examples are of one tenant, and no other one may see them: train each tenant alone"
        )
    generator = spec.live[Roles.GENERATOR]
    how = "promote a language model first that names no prompt (`gyre models list`)"
    if generator.settings.get("backend") != OPENAI:
        raise FailedPrecondition(
            f"generator {generator.version} reads no prompt, so examples would change nothing: "
            f"{how}"
        )
    if own := prompt_of(generator):
        raise FailedPrecondition(
            f"generator {generator.version} was made for {spec.role} {own}, and takes no other: "
            f"{how}"
        )


async def _unprompted(context: QuestionContext) -> tuple[str, str]:
    """The question is all that an example has of its prompt."""
    return "", ""
