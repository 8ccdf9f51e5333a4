"""Verb `export`: the better variant becomes files that serve, with a card, in the store."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.model_folders import keep_model
from gyre_common.store import Store
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gyre_trainer.recipes.query_encoder.card import write_card
from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.inputs import RunData
from gyre_trainer.recipes.query_encoder.model import (
    WEIGHTS,
    TrainableQueryEncoder,
    interpolate_weights,
    open_base,
    open_tokenizer,
    read_weights,
)
from gyre_trainer.recipes.query_encoder.onnx_export import write_onnx
from gyre_trainer.recipes.query_encoder.variant_result import RESULT, TUNED, VariantResult
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.runs.verbs import EXPORT
from gyre_trainer.settings import TrainerSettings

_COPIED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
_MODULES = (
    ("0", "", "sentence_transformers.models.Transformer"),
    ("1", "1_Pooling", "sentence_transformers.models.Pooling"),
    ("2", "2_Normalize", "sentence_transformers.models.Normalize"),
)


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Write `candidate/`, put it into the store, then write `candidate.json`.

    Raises:
        FailedPrecondition: see `write_candidate`.
        Retryable: the disk or the store is full, read-only or out of reach.
    """
    folder.progress(EXPORT, message="choosing a variant and writing its model")
    best, difference = write_candidate(folder)
    folder.progress(EXPORT, message="putting the model into the store")
    store, spec = Store(settings.store_url), folder.spec()
    stored_model = await retry_while_away(
        lambda: keep_model(store, folder.candidate), seconds=STORE_SECONDS
    )
    candidate = ExportedCandidate(
        version=spec.version,
        digest=stored_model.digest,
        uri=stored_model.uri,
        fits=spec.base,
        variant=best.variant,
        metrics=_metrics(best, difference),
    )
    write_json(folder.candidate_file, candidate)


def write_candidate(folder: RunFolder) -> tuple[VariantResult, float]:
    """Fill `candidate/`, whole or not at all; returns the variant that it holds, and how far any
    number of its ONNX graph's vectors is from torch's at most.

    Raises:
        FailedPrecondition: a variant is not finished, or ONNX gives other vectors than torch.
        Retryable: the disk is full or read-only.
    """
    data = RunData(folder)
    outcomes = _outcomes(folder)
    best = choose_variant(outcomes)
    base_folder = data.base_folder
    base = open_base(base_folder, data.corpus.dimensions)
    start = {name: value.clone() for name, value in base.bert.state_dict().items()}
    tuned = interpolate_weights(start, _tuned(folder.variant(best.variant)), best.chosen_share)
    base.bert.load_state_dict(tuned, strict=False)
    partial = folder.path / ".candidate"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        difference = _write(partial, base_folder, base, tuned, data)
        write_card(partial, folder, data, outcomes, best, difference)
        shutil.rmtree(folder.candidate, ignore_errors=True)
        partial.rename(folder.candidate)
    except (OSError, SafetensorError) as error:
        raise Retryable(f"cannot write to {folder.path}: {error}") from error
    return best, difference


def choose_variant(outcomes: Sequence[VariantResult]) -> VariantResult:
    """The first variant, unless another one does better overall by more than chance explains.

    The larger standard error of their differences from the base stands for that of their own.
    """
    first, *others = outcomes
    best = max(others, key=lambda each: each.chosen_quality.overall, default=first)
    ahead = best.chosen_quality.overall - first.chosen_quality.overall
    return best if ahead > max(best.chosen_quality.error, first.chosen_quality.error) else first


def _outcomes(folder: RunFolder) -> list[VariantResult]:
    outcomes = []
    for variant in Variant:
        path = folder.variant(variant) / RESULT
        try:
            outcomes.append(VariantResult.model_validate_json(path.read_bytes()))
        except OSError as error:
            raise FailedPrecondition(f"{variant} is not trained: {path} is missing") from error
        except ValidationError as error:
            raise FailedPrecondition(f"{path} is damaged: train {variant} again") from error
    return outcomes


def _tuned(own: Path) -> dict[str, Tensor]:
    try:
        return load_file(own / TUNED)
    except (OSError, SafetensorError) as error:
        raise FailedPrecondition(f"{own / TUNED} is damaged: train this variant again") from error


def _write(
    candidate: Path,
    base_folder: Path,
    encoder: TrainableQueryEncoder,
    tuned: Mapping[str, Tensor],
    data: RunData,
) -> float:
    """The model's files; returns how far ONNX is from torch at most."""
    (candidate / "1_Pooling").mkdir(parents=True)
    for name in _COPIED:
        if (base_folder / name).is_file():
            shutil.copyfile(base_folder / name, candidate / name)
    weights = {**read_weights(base_folder), **tuned}
    save_file(weights, candidate / WEIGHTS, metadata={"format": "pt"})
    modules = [
        {"idx": at, "name": name, "path": path, "type": kind}
        for at, (name, path, kind) in enumerate(_MODULES)
    ]
    (candidate / "modules.json").write_text(json.dumps(modules, indent=2))
    pooling = {"word_embedding_dimension": data.corpus.dimensions, "pooling_mode_mean_tokens": True}
    (candidate / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=2))
    texts = [question.question for question in data.questions[:16]]
    texts += [passage.text for passage in data.corpus.passages[:8]]
    tokenizer = open_tokenizer(base_folder, 256)
    samples = [tokenizer.encode(text).ids for text in texts]
    return write_onnx(encoder, candidate / "onnx" / "model.onnx", samples)


def _metrics(best: VariantResult, difference: float) -> dict[str, float]:
    base = next(each for each in best.validation if each.share == 0)
    return {
        "share": best.chosen_share,
        "validation_base": base.overall,
        "validation": best.chosen_quality.overall,
        "dense_weight": best.chosen_quality.dense_weight,
        "onnx_difference": difference,
    }
