"""Verb `prepare` of a language model: freezes what people said, and writes it as samples."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import now
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, digest_of_file
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import Shelf, Store

from gyre_trainer.data_sets.answer_joining import Wanted
from gyre_trainer.data_sets.answers import (
    AnswerKind,
    AnswerRow,
    AnswerTexts,
    answer_texts,
    declines,
)
from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.frozen import DataSetPart, FrozenDataSet, write_folder
from gyre_trainer.generator_calls import Generator, open_generator
from gyre_trainer.language_models.adapters import check_base_of
from gyre_trainer.language_models.asking import answers_of
from gyre_trainer.language_models.config import (
    BASE,
    OPENAI,
    AnswersConfig,
    PreferenceConfig,
    context_tokens_of,
)
from gyre_trainer.language_models.inputs import (
    Inputs,
    LanguageModelRunFiles,
    Sample,
    folder_digest,
    write_samples,
)
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import Prepared, RunFolder, RunSpec, write_json
from gyre_trainer.runs.verbs import PREPARE
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.segments.window import Window
from gyre_trainer.settings import TrainerSettings


class Freeze(Protocol):
    """Makes a data set of answers."""

    def __call__(
        self,
        segments: Segments,
        *,
        tenant: str,
        profile: str,
        window: Window,
        wanted: Wanted,
        liked_weight: float,
    ) -> Awaitable[FrozenDataSet]:
        """From a window of the streams. Raises FailedPrecondition: it holds too little."""
        ...


@dataclass(frozen=True)
class Teacher:
    """A version of the generator that answers so many questions that nobody answered, at most."""

    version: str
    questions: int


async def prepare_samples(
    folder: RunFolder,
    settings: TrainerSettings,
    config: AnswersConfig,
    freeze: Freeze,
    teacher: Teacher | None = None,
) -> None:
    """`prepared.json` is last. Raises FailedPrecondition: too little to learn from, a base that
    cannot be trained, or a teacher that does not answer; Retryable: the store or the generator is
    away. What a teacher answered before that is kept, and not asked again.
    """
    spec, files = folder.spec(), LanguageModelRunFiles(folder)
    base = trainable_base(spec)
    folder.progress(PREPARE, message="checking the base model")
    models = ModelFolders(Store(settings.store_url), settings.model_cache)
    base_folder = await retry_while_away(lambda: models.folder(base), seconds=STORE_SECONDS)
    start, start_folder = start_of(spec, base, config), None
    if start is not None:
        adapter = start
        start_folder = await retry_while_away(lambda: models.folder(adapter), seconds=STORE_SECONDS)
        check_base_of(start_folder, base)
    prompt = prompt_of(spec, start or base)
    context_tokens = context_tokens_of(config, start or base)
    segments = Segments(Shelf(settings.store_url, FOLDER))
    wanted = Wanted(
        prompt,
        context_tokens,
        restricted=config.restricted,
        unanswered=teacher.questions if teacher else 0,
    )
    frozen = await freeze_and_store(
        folder, segments, settings, freeze, wanted=wanted, liked_weight=config.liked_weight
    )
    folder.progress(PREPARE, message="writing the prompts")
    async with open_generator(settings) as generator:
        render = generator.render(prompt, context_tokens)
        texts = await retry_while_away(
            lambda: answer_texts(frozen, segments, render), seconds=STORE_SECONDS
        )
        samples = [sample_of(row, each) for row, each in texts]
        if teacher:
            samples = await _taught(folder, generator, samples, teacher.version, config)
        if config.answers_at is None:
            samples = [
                await _with_confidence(each, generator, prompt, context_tokens) for each in samples
            ]
    write_samples(files.samples, samples)
    write_inputs(
        files,
        frozen,
        base=base,
        base_folder=base_folder,
        prompt=prompt,
        start=start,
        start_folder=start_folder,
    )
    mark_prepared(folder, frozen)


def write_inputs(
    files: LanguageModelRunFiles,
    frozen: FrozenDataSet,
    *,
    base: Artifact,
    base_folder: Path,
    prompt: str,
    start: Artifact | None = None,
    start_folder: Path | None = None,
) -> None:
    """What training checks before it begins; the samples are written by then."""
    inputs = Inputs(
        base_folder=str(base_folder),
        base_digest=folder_digest(base_folder),
        base=base,
        start_folder=str(start_folder or ""),
        start_digest=folder_digest(start_folder) if start_folder else "",
        start=start,
        prompt=prompt,
        data_set=frozen.digest,
        samples_digest=digest_of_file(files.samples) or "",
    )
    write_json(files.inputs, inputs)


def mark_prepared(folder: RunFolder, frozen: FrozenDataSet) -> None:
    """All that the other verbs need is there."""
    card = frozen.card
    prepared = Prepared(
        data_set=frozen.digest,
        window=card["window"],
        votes=card["votes"],
        first_vote_at=card["first_vote_at"],
        last_vote_at=card["last_vote_at"],
    )
    write_json(folder.prepared_file, prepared)


def sample_of(row: AnswerRow, texts: AnswerTexts) -> Sample:
    """A row with its texts."""
    return Sample(
        row=row,
        asked=texts.context,
        system=texts.system,
        user=texts.user,
        passages=dict(texts.passages),
        answer=texts.answer,
        rejected=texts.rejected,
    )


async def _with_confidence(
    sample: Sample, generator: Generator, prompt: str, context_tokens: int
) -> Sample:
    """The held-out side chooses nothing, so it is not asked for there."""
    if sample.row.part is DataSetPart.GATE:
        return sample
    confidence = await generator.confidence(sample.asked, prompt, context_tokens)
    return sample.model_copy(update={"confidence": round(confidence, 4)})


async def _taught(
    folder: RunFolder,
    generator: Generator,
    samples: Sequence[Sample],
    teacher: str,
    config: AnswersConfig,
) -> list[Sample]:
    """With the teacher's answers; a question that it answers with nothing, or with an answer that
    was cut off, is left out.
    """
    questions = [_teacher_question(each, config) for each in samples if _is_for_teacher(each)]
    answers = await answers_of(
        folder,
        generator,
        questions,
        {Roles.GENERATOR: teacher},
        max_tokens=config.answer_tokens,
        who="teacher",
        stage=PREPARE,
    )
    taught = []
    for sample in samples:
        if not _is_for_teacher(sample):
            taught.append(sample)
        elif (answer := answers[sample.row.question_id]) and answer.whole:
            text = NO_ANSWER if declines(answer.text) else answer.text.strip()
            taught += [sample.model_copy(update={"answer": text})] if text else []
    return taught


def _is_for_teacher(sample: Sample) -> bool:
    return sample.row.kind is AnswerKind.DISTILLED


def _teacher_question(sample: Sample, config: AnswersConfig) -> Sample:
    """The examples in a teacher's prompt are those that everybody may read, unless what is
    restricted may teach: then those that whoever asked may read.
    """
    if config.restricted:
        return sample
    return sample.model_copy(update={"asked": replace(sample.asked, acl=())})


def trainable_base(spec: RunSpec) -> Artifact:
    """The version that the candidate starts from. Raises FailedPrecondition where it has no weights
    of its own.
    """
    base = spec.base_artifact
    if base is None:
        raise FailedPrecondition("the run names no base: start another run")
    how = f"name a version with weights by `--set {BASE}=VERSION` (`gyre releases generator`)"
    if base.settings.get("backend") != OPENAI:
        raise FailedPrecondition(f"{base.version} is no language model, so it cannot learn: {how}")
    if own_base := base.settings.get(BASE):
        raise FailedPrecondition(f"{base.version} is an adapter of {own_base}: {how}")
    return base


def start_of(spec: RunSpec, base: Artifact, config: AnswersConfig) -> Artifact | None:
    """The adapter of the base that training goes on from, or None."""
    live = spec.live[Roles.GENERATOR]
    continues = isinstance(config, PreferenceConfig) and config.continue_live
    return live if continues and live.settings.get(BASE) == base.version else None


def prompt_of(spec: RunSpec, base: Artifact) -> str:
    """The version of the answer prompt that this one was made for, or what is live."""
    return base.settings.get("prompt") or spec.live[Roles.ANSWER_PROMPT].version


async def freeze_and_store(
    folder: RunFolder,
    segments: Segments,
    settings: TrainerSettings,
    freeze: Freeze,
    *,
    wanted: Wanted,
    liked_weight: float,
) -> FrozenDataSet:
    """The data set, in the store and in the folder. A store that is away is waited for."""
    spec = folder.spec()
    folder.progress(PREPARE, message="freezing the data set")
    frozen = await retry_while_away(
        lambda: freeze(
            segments,
            tenant=spec.tenant,
            profile=spec.profile,
            window=spec.window,
            wanted=wanted,
            liked_weight=liked_weight,
        ),
        seconds=STORE_SECONDS,
    )
    store = DataSetStore(Store(settings.store_url), Shelf(settings.store_url, DATA_SETS))
    await retry_while_away(lambda: store.keep(frozen, now()), seconds=STORE_SECONDS)
    write_folder(frozen, folder.data_set)
    return frozen
