"""Verb `export`: what was learned becomes a version's files, with a card, in the store."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.model_folders import keep_model
from gyre_common.store import Store
from pydantic import ValidationError

from gyre_trainer.data_sets.answers import KIND, AnswersKind
from gyre_trainer.data_sets.frozen import CARD, DataSetPart, read_folder
from gyre_trainer.language_models.abstention import ANSWERS_AT, chosen_threshold
from gyre_trainer.language_models.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    name_base,
)
from gyre_trainer.language_models.config import (
    BASE,
    OPENAI,
    AnswersConfig,
    Variant,
    context_tokens_of,
)
from gyre_trainer.language_models.gguf_export import gguf_of, write_gguf
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import save_tokenizer
from gyre_trainer.language_models.report import MARK
from gyre_trainer.language_models.result import LEARNED, RESULT, VariantResult
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.runs.verbs import EXPORT
from gyre_trainer.settings import TrainerSettings

_LEARNED_FROM = {
    AnswersKind.WANTED: ("answers that people corrected or liked", "answers, nats a token"),
    AnswersKind.PAIRS: ("pairs of answers, of which people preferred one", "pairs, nats a pair"),
    AnswersKind.LABELLED: (
        "answers that should be given and answers that should not, as people said",
        "answers, of a loss that is 0 at best",
    ),
}
"""What a model learned from, and the unit of its validation."""


@dataclass(frozen=True)
class WeightsForm:
    """What a variant's candidate is: `fill` writes its files, of a run and from the folder of what
    was learned, into another; with `on_base` they are served on top of the base's. `learned_from`
    says in words what it learned from, and the unit of its validation, where that is not what the
    data set says.
    """

    variant: StrEnum
    fill: Callable[[RunData, Path, Path], None]
    on_base: bool = False
    learned_from: tuple[str, str] | None = None


async def export_candidate(
    folder: RunFolder,
    settings: TrainerSettings,
    config: AnswersConfig,
    form: WeightsForm | None = None,
) -> None:
    """Of weights, unless it has another form. Raises as `write_candidate` does, and Retryable when
    the store is away.
    """
    form = form or FORMS[config.variant]
    folder.progress(EXPORT, message="writing the model")
    result = write_candidate(folder, form)
    folder.progress(EXPORT, message="putting the model into the store")
    store, data = Store(settings.store_url), RunData(folder)
    stored = await retry_while_away(
        lambda: keep_model(store, folder.candidate), seconds=STORE_SECONDS
    )
    losses = {"loss": result.loss[-1], "tokens": result.tokens, "cpu_seconds": result.cpu_seconds}
    validation = {
        f"validation_{name}": value
        for name, value in (("base", result.validation.before), ("tuned", result.validation.after))
        if value is not None
    }
    candidate = ExportedCandidate(
        version=data.spec.version,
        digest=stored.digest,
        uri=stored.uri,
        settings=version_settings(data, config, form),
        variant=result.variant,
        metrics={**losses, **validation},
    )
    write_json(folder.candidate_file, candidate)


def version_settings(data: RunData, config: AnswersConfig, form: WeightsForm) -> dict[str, str]:
    """What the generator must know to serve it: what it began as says of itself; what it learned to
    read; from which confidence it answers; and an adapter names its base.
    """
    begun = {k: v for k, v in data.inputs.begins_with.settings.items() if k != BASE}
    named = {BASE: data.inputs.base.version} if form.on_base else {}
    threshold = config.answers_at
    if threshold is None:
        parts = (DataSetPart.FIT, DataSetPart.VALIDATION)
        samples = [sample for part in parts for sample in data.samples(part)]
        threshold = chosen_threshold(samples, begun.get(ANSWERS_AT))
    if threshold is not None:
        named[ANSWERS_AT] = f"{threshold:g}"
    return {
        **begun,
        "backend": OPENAI,
        "model": data.spec.version,
        "prompt": data.inputs.prompt,
        "context_tokens": str(context_tokens_of(config, data.inputs.begins_with)),
        **named,
    }


def write_candidate(folder: RunFolder, form: WeightsForm) -> VariantResult:
    """Fill `candidate/`, whole or not at all. Raises FailedPrecondition: it is not trained;
    Retryable: the disk is full or read-only.
    """
    data = RunData(folder)
    variant, own = form.variant, folder.variant(form.variant)
    result = trained_result(own / RESULT, variant)
    partial = folder.path / ".candidate"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        form.fill(data, own / LEARNED, partial)
        _write_card(partial, data, result, folder, form)
        shutil.rmtree(folder.candidate, ignore_errors=True)
        partial.rename(folder.candidate)
    except FileNotFoundError as error:
        raise FailedPrecondition(
            f"{error.filename} is missing: train {variant} again with a new run"
        ) from error
    except OSError as error:
        raise Retryable(f"cannot write to {folder.path}: {error.strerror or error}") from error
    return result


def _fill_with_adapter(data: RunData, learned: Path, into: Path) -> None:
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        shutil.copyfile(learned / name, into / name)
    name_base(into, data.inputs.base)


def _fill_with_model(data: RunData, learned: Path, into: Path) -> None:
    if base := gguf_of(data.base_folder):
        write_gguf(learned, base, into / base.name)
        return
    shutil.copytree(learned, into, dirs_exist_ok=True)
    save_tokenizer(data.base_folder, into)


FORMS: Mapping[Variant, WeightsForm] = {
    Variant.LOW_RANK: WeightsForm(Variant.LOW_RANK, _fill_with_adapter, on_base=True),
    Variant.FULL: WeightsForm(Variant.FULL, _fill_with_model),
}
"""Of variants that train weights."""


def trained_result(path: Path, variant: StrEnum) -> VariantResult:
    """How it was trained. Raises FailedPrecondition: it was not, or the file is damaged."""
    try:
        return VariantResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FailedPrecondition(f"{variant} is not trained: {path} is missing") from error
    except ValidationError as error:
        raise FailedPrecondition(f"{path} is damaged: train {variant} again") from error


def _write_card(
    candidate: Path, data: RunData, result: VariantResult, folder: RunFolder, form: WeightsForm
) -> None:
    """`card.json` for programs and `README.md` for people; the gate's report is added later."""
    card = card_of(data, result, folder)
    write_json(candidate / "card.json", card)
    (candidate / "README.md").write_text(_readme(card, result, form), encoding="utf-8")


def card_of(data: RunData, result: VariantResult, folder: RunFolder) -> dict[str, Any]:
    """What made the version: its run, base, data set and training."""
    spec, inputs = data.spec, data.inputs
    data_card = json.loads(read_folder(folder.data_set, inputs.data_set, (CARD,))[CARD])
    return {
        "version": spec.version,
        "recipe": spec.recipe,
        "run": str(spec.run_id),
        "code": spec.code,
        "profile": spec.profile,
        "tenant": spec.tenant,
        "base": {"version": inputs.base.version, "digest": inputs.base.digest},
        "start": inputs.start and {"version": inputs.start.version, "digest": inputs.start.digest},
        "prompt": inputs.prompt,
        "data_set": {"digest": inputs.data_set, "card": data_card},
        "training": result.model_dump(mode="json"),
    }


def _readme(card: Mapping[str, Any], result: VariantResult, form: WeightsForm) -> str:
    data_card = card["data_set"]["card"]
    fit = data_card["parts"]["fit"]
    groups = ", ".join(data_card["groups"]) or "none: every document was open to the whole tenant"
    settings = "\n".join(f"- {name}: {value}" for name, value in result.settings.items())
    before, after = (
        "–" if loss is None else f"{loss:.3f}"
        for loss in (result.validation.before, result.validation.after)
    )
    stride = max(1, len(result.loss) // 20)
    curve = " ".join(f"{loss:.2f}" for loss in result.loss[::stride])
    learned_from, unit = form.learned_from or _LEARNED_FROM[data_card[KIND]]
    others = f", {fit['disliked']} disliked or corrected ones" if fit.get("disliked") else ""
    others += f", {fit['distilled']} answers of a teacher" if fit.get("distilled") else ""
    start = card["start"] or card["base"]
    library = "peft" if result.variant == Variant.LOW_RANK else "transformers"
    return f"""\
---
library_name: {library}
pipeline_tag: text-generation
base_model: {card["base"]["version"]}
---
# {card["version"]}

A language model that learned from {learned_from}. It was trained for the prompt {card["prompt"]},
starting from {start["version"]} (`{start["digest"]}`).

## Data

- data set `{card["data_set"]["digest"]}`, tenant {card["tenant"]}, profile {card["profile"]}
- {fit["correction"]} corrections, {fit["declined"]} times "not answered here", {fit["liked"]} \
liked answers{others}, by {data_card["actors"]} people
- {result.cut} samples lost a part of a passage, {result.left_out} were too long
- groups whose documents it has seen: {groups}

## Training

- run `{card["run"]}`, code {card["code"] or "not recorded"}, variant {result.variant}
- {result.steps} steps, {result.tokens} tokens, {result.seconds:.0f} s, \
{result.cpu_seconds:.0f} CPU seconds
- loss: {curve}
- on {result.validation.questions} validation {unit}: {before} before, {after} after

Settings:

{settings}

{MARK}
"""
