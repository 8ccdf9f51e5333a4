"""Run folders of recipes of the generator as `prepare` would have written them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gyre_common.events.event import new_id
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import digest_of_file
from gyre_common.releases.builtin import (
    LANGUAGE_MODEL_DIGEST,
    LANGUAGE_MODEL_SETTINGS,
    LANGUAGE_MODEL_VERSION,
)
from gyre_trainer.data_sets.frozen import frozen_of, write_folder
from gyre_trainer.language_models.inputs import (
    Inputs,
    LanguageModelFiles,
    Sample,
    folder_digest,
    write_samples,
)
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
BASE = Artifact(
    version=LANGUAGE_MODEL_VERSION,
    digest=LANGUAGE_MODEL_DIGEST,
    settings=dict(LANGUAGE_MODEL_SETTINGS),
    registered_at=NOON,
)
PROMPT = LANGUAGE_MODEL_SETTINGS["prompt"]


def write_run(
    path: Path,
    recipe: str,
    samples: Sequence[Sample],
    *,
    tenant: str,
    base_folder: Path,
    settings: Mapping[str, object],
) -> RunFolder:
    """One that starts from the shipped language model, to learn from all samples."""
    folder = RunFolder(path)
    files = LanguageModelFiles(folder)
    write_samples(files.samples, samples)
    parts = {"fit": {"correction": len(samples), "declined": 0, "liked": 0}}
    named = {"profile": "default", "window": {}, "builder": "bench"}
    card = {"kind": "answers", "parts": parts, "groups": [], "actors": 1, **named}
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
