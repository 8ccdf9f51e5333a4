"""Run folders of recipes of the generator as `prepare` would have written them, and what is made
of them.
"""

import resource
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gyre_cli.demo.costs import cpu_seconds
from gyre_client import AsyncClient
from gyre_common.events.event import EVERY_TENANT, new_id
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, digest_of_file, keep_model
from gyre_common.releases.builtin import (
    LANGUAGE_MODEL_DIGEST,
    LANGUAGE_MODEL_SETTINGS,
    LANGUAGE_MODEL_VERSION,
)
from gyre_common.store import Store
from gyre_trainer.data_sets.answers import AnswerKind, AnswerRow, AnswersKind, mark_passages
from gyre_trainer.data_sets.frozen import DataSetPart, frozen_of, write_folder
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.export import FORMS, write_candidate
from gyre_trainer.language_models.inputs import (
    Inputs,
    LanguageModelRunFiles,
    Sample,
    folder_digest,
    write_samples,
)
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.training.launching import training_command, training_environment

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BASE = Artifact(
    version=LANGUAGE_MODEL_VERSION,
    digest=LANGUAGE_MODEL_DIGEST,
    settings=dict(LANGUAGE_MODEL_SETTINGS),
    registered_at=NOON,
)
PROMPT = LANGUAGE_MODEL_SETTINGS["prompt"]
WORKERS = 2


def sample_of(
    number: int,
    context: QuestionContext,
    prompt: tuple[str, str],
    answer: str,
    kind: AnswerKind,
    tenant: str,
    *,
    rejected: str = "",
    weight: float = 1.0,
) -> Sample:
    """To learn from, in a cluster of its own; the prompt is the system's part and the user's."""
    system, user = prompt
    shown = {str(n): each.text for n, each in enumerate(context.read, start=1)}
    user, passages = mark_passages(user, shown)
    row = AnswerRow(
        question_id=f"q{number}",
        tenant=tenant,
        part=DataSetPart.FIT,
        cluster=f"c{number}",
        kind=kind,
        weight=weight,
    )
    return Sample(
        row=row,
        asked=context,
        system=system,
        user=user,
        passages=passages,
        answer=answer,
        rejected=rejected,
    )


def write_run(
    path: Path,
    recipe: str,
    samples: Sequence[Sample],
    *,
    tenant: str,
    base_folder: Path,
    settings: Mapping[str, object],
    kind: AnswersKind = AnswersKind.WANTED,
) -> RunFolder:
    """One that starts from the shipped language model, to learn from all samples."""
    folder = RunFolder(path)
    files = LanguageModelRunFiles(folder)
    write_samples(files.samples, samples)
    parts = {"fit": {"correction": len(samples), "declined": 0, "liked": 0}}
    named = {"profile": "default", "window": {}, "builder": "bench"}
    card = {"kind": kind, "parts": parts, "groups": [], "actors": 1, **named}
    frozen = frozen_of(tenant, [sample.row for sample in samples], card)
    write_folder(frozen, folder.data_set)
    inputs = Inputs(
        base_folder=str(base_folder),
        base_digest=folder_digest(base_folder),
        base=BASE,
        prompt=PROMPT,
        data_set=frozen.digest,
        samples_digest=digest_of_file(files.samples) or "",
    )
    write_json(files.inputs, inputs)
    run_id = new_id()
    spec = {
        "run_id": run_id,
        "tenant": tenant,
        "recipe": recipe,
        "role": Roles.GENERATOR,
        "profile": "default",
        "actor": "bench",
        "version": f"{recipe}-{run_id.hex[-8:]}",
        "live": {Roles.GENERATOR: BASE},
        "started_at": NOON,
        "settings": {name: str(value) for name, value in settings.items()},
    }
    write_json(folder.spec_file, RunSpec.model_validate(spec))
    return folder


def train_run(folder: RunFolder, program: str) -> str:
    """Trains an adapter, as the trainer does, and writes the candidate; what it cost, in words.
    Raises CalledProcessError where the training fails.
    """
    command = training_command(program, folder.path, Variant.LOW_RANK, workers=WORKERS)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, env=training_environment(WORKERS), check=True)
    minutes, after = (time.monotonic() - began) / 60, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    began_export = time.process_time()
    result = write_candidate(folder, FORMS[Variant.LOW_RANK])
    exported = (time.process_time() - began_export) / 60
    return (
        f"{result.tokens:,} tokens, {minutes:.1f} min, {used / 60:.1f} CPU-min, "
        f"{result.tokens / result.cpu_seconds:.0f} tokens a CPU-s, "
        f"{after.ru_maxrss / 2**20:.1f} GiB the larger of {WORKERS} workers, "
        f"loss {result.loss[0]:.2f} → {result.loss[-1]:.2f}; export {exported:.1f} CPU-min"
    )


@contextmanager
def counted(home: Path, label: str, into: dict[str, float]) -> Iterator[None]:
    """CPU-minutes of this process and of the system in `home` while the block runs, by label."""
    before = _cpu_seconds(home)
    yield
    into[label] = (_cpu_seconds(home) - before) / 60


def _cpu_seconds(home: Path) -> float:
    return time.process_time() + (cpu_seconds(home) or 0.0)


async def base_folder_of(home: Path) -> Path:
    """The shipped model's files, where a running system's home has them."""
    return await ModelFolders(store_of(home), home / "models" / "bench").folder(BASE)


async def register(
    gyre: AsyncClient, store: Store, version: str, files: Path, settings: Mapping[str, str]
) -> None:
    """A version of the generator of these files, for every tenant."""
    stored = await keep_model(store, files)
    await gyre.releases.register_files(
        Roles.GENERATOR,
        version,
        digest=stored.digest,
        uri=stored.uri,
        settings={**settings, "model": version},
        reason="a benchmark",
        tenant=EVERY_TENANT,
    )


def store_of(home: Path) -> Store:
    """That of the system whose home it is."""
    return Store(f"file://{home.absolute()}/store")
