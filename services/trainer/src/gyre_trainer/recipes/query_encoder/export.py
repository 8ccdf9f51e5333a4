"""Verb `export`: the better variant becomes files that serve, with a card, in the store."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.releases import Roles
from gyre_common.model_folders import keep_model
from gyre_common.releases.fitting import vectors_of
from gyre_common.store import Store
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.export import Dim

from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.inputs import RunData
from gyre_trainer.recipes.query_encoder.model import (
    WEIGHTS,
    TrainableQueryEncoder,
    interpolate_weights,
    open_base,
    open_tokenizer,
    pooled,
    read_weights,
)
from gyre_trainer.recipes.query_encoder.report import MARK
from gyre_trainer.recipes.query_encoder.validation import RESULT, TUNED, VariantResult
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.runs.verbs import EXPORT
from gyre_trainer.settings import TrainerSettings

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
MOST_DIFFERENCE = 1e-3

_COPIED = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
_MODULES = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `write_candidate` does, and Retryable when the store is away."""
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
        fits=vectors_of(spec.live[Roles.DOCUMENT_ENCODER]),
        variant=best.variant,
        metrics={
            "share": best.chosen_share,
            "validation_base": next(each.overall for each in best.validation if each.share == 0),
            "validation": best.chosen_quality.overall,
            "dense_weight": best.chosen_quality.dense_weight,
            "onnx_difference": difference,
        },
    )
    write_json(folder.candidate_file, candidate)


def write_candidate(folder: RunFolder) -> tuple[VariantResult, float]:
    """Fill `candidate/`, whole or not at all; returns its variant, and how far a number of the ONNX
    graph's vectors is from torch's at most. Raises FailedPrecondition: a variant is not finished,
    or they are too far apart; Retryable: the disk is full or read-only.
    """
    data = RunData(folder)
    results = [_result(folder.variant(variant) / RESULT, variant) for variant in Variant]
    best = choose_variant(results)
    path = folder.variant(best.variant) / TUNED
    try:
        tuned = load_file(path)
    except (OSError, SafetensorError) as error:
        raise FailedPrecondition(f"{path} is damaged: train this variant again") from error
    encoder = open_base(data.base_folder, data.corpus.dimensions)
    start = {name: value.clone() for name, value in encoder.bert.state_dict().items()}
    chosen = interpolate_weights(start, tuned, best.chosen_share)
    encoder.bert.load_state_dict(chosen, strict=False)
    partial = folder.path / ".candidate"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        _write_model(partial, chosen, data)
        texts = [question.question for question in data.questions[:16]]
        texts += [passage.text for passage in data.corpus.passages[:8]]
        tokenizer = open_tokenizer(data.base_folder, 256)
        samples = [tokenizer.encode(text).ids for text in texts]
        difference = _write_onnx(encoder, partial / "onnx" / "model.onnx", samples)
        write_card(partial, data, results, best, difference)
        shutil.rmtree(folder.candidate, ignore_errors=True)
        partial.rename(folder.candidate)
    except (OSError, SafetensorError) as error:
        raise Retryable(f"cannot write to {folder.path}: {error}") from error
    return best, difference


def _result(path: Path, variant: Variant) -> VariantResult:
    try:
        return VariantResult.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FailedPrecondition(f"{variant} is not trained: {path} is missing") from error
    except ValidationError as error:
        raise FailedPrecondition(f"{path} is damaged: train {variant} again") from error


def choose_variant(results: Sequence[VariantResult]) -> VariantResult:
    """The first, unless another does better overall by more than chance explains: the larger
    standard error of their differences from the base stands for that of their own.
    """
    first, *others = results
    best = max(others, key=lambda each: each.chosen_quality.overall, default=first)
    ahead = best.chosen_quality.overall - first.chosen_quality.overall
    return best if ahead > max(best.chosen_quality.error, first.chosen_quality.error) else first


def _write_model(candidate: Path, chosen: Mapping[str, Tensor], data: RunData) -> None:
    """In the layout of sentence-transformers."""
    (candidate / "1_Pooling").mkdir(parents=True)
    for name in _COPIED:
        if (data.base_folder / name).is_file():
            shutil.copyfile(data.base_folder / name, candidate / name)
    weights = {**read_weights(data.base_folder), **chosen}
    save_file(weights, candidate / WEIGHTS, metadata={"format": "pt"})
    modules = [
        {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for at, (path, kind) in enumerate(_MODULES)
    ]
    (candidate / "modules.json").write_text(json.dumps(modules, indent=2))
    pooling = {"word_embedding_dimension": data.corpus.dimensions, "pooling_mode_mean_tokens": True}
    (candidate / "1_Pooling" / "config.json").write_text(json.dumps(pooling, indent=2))


def _write_onnx(
    encoder: TrainableQueryEncoder, path: Path, samples: Sequence[Sequence[int]]
) -> float:
    """Returns the greatest difference from torch. By the usual names of exported BERT encoders:
    int64 of (texts, tokens), both free, to float32 of (texts, tokens, d), not yet pooled.
    """
    path.parent.mkdir(parents=True)
    ids, mask = encoder.padded([[101, 2003, 102], [101, 102]])
    shapes = {0: Dim("texts", min=1), 1: Dim("tokens", min=1)}
    program = torch.onnx.export(
        encoder.bert,
        kwargs=dict(zip(INPUTS, (ids, mask, torch.zeros_like(ids)), strict=True)),
        output_names=[OUTPUT],
        dynamic_shapes=dict.fromkeys(INPUTS, shapes),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(str(path))
    difference = max(_differences(encoder, path, (samples[:1], samples)))
    if difference > MOST_DIFFERENCE:
        raise FailedPrecondition(
            f"the ONNX graph is {difference:.1e} away from torch, "
            f"more than {MOST_DIFFERENCE:.0e}: it would serve something else than was trained"
        )
    return difference


def _differences(
    encoder: TrainableQueryEncoder, path: Path, groups: Iterable[Sequence[Sequence[int]]]
) -> Iterable[float]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for group in groups:
        ids, mask = encoder.padded(group)
        with torch.no_grad():
            expected = encoder.encode(ids, mask)
        inputs = (ids.numpy(), mask.numpy(), torch.zeros_like(ids).numpy())
        (hidden,) = session.run([OUTPUT], dict(zip(INPUTS, inputs, strict=True)))
        vectors = pooled(torch.from_numpy(hidden), mask)
        yield float((vectors - expected).abs().max())


def write_card(
    candidate: Path,
    data: RunData,
    results: Sequence[VariantResult],
    best: VariantResult,
    onnx_difference: float,
) -> None:
    """`card.json` for programs and `README.md` for people; the gate's report is added later."""
    spec = data.spec
    card = {
        "version": spec.version,
        "recipe": spec.recipe,
        "run": str(spec.run_id),
        "code": spec.code,
        "profile": spec.profile,
        "tenant": spec.tenant,
        "base": {role: artifact.version for role, artifact in spec.live.items()},
        "data_set": {"digest": data.inputs.data_set, "card": data.data_set_card},
        "corpus": {"digest": data.inputs.corpus_digest, "passages": len(data.corpus.passages)},
        "chosen": {"variant": best.variant, "share": best.chosen_share},
        "onnx_difference": onnx_difference,
        "variants": {each.variant: each.model_dump(mode="json") for each in results},
    }
    write_json(candidate / "card.json", card)
    (candidate / "README.md").write_text(_readme(card, results, best), encoding="utf-8")


def _readme(card: Mapping[str, Any], results: Sequence[VariantResult], best: VariantResult) -> str:
    digest = card["data_set"]["digest"] or "not recorded"
    base = card["base"].get("document-encoder", "the base")
    unsure = "" if best.questions["overall"] else ", as there is no question to choose by"
    values = best.settings.model_dump(mode="json").items()
    settings = "\n".join(f"- {name}: {value}" for name, value in values)
    costs, validation = "\n".join(_costs(results)), "\n".join(_validation(results))
    return f"""\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# {card["version"]}

A query encoder that learned from votes. Only the query side was trained: its vectors are
compared with those that {base} made of the passages.

## Data

- data set `{digest}`, profile {card["profile"]}
- {best.questions["fit"]} questions to learn from, {best.questions["overall"]} to validate \
({best.questions["new"]} of them about documents without votes)
- {card["corpus"]["passages"]} passages, vectors `{card["corpus"]["digest"]}`

## Training

- run `{card["run"]}`, code {card["code"] or "not recorded"}
- chosen: {best.variant}, {best.chosen_share:.0%} of the way from the base{unsure}
- ONNX differs from torch by at most {card["onnx_difference"]:.1e}

{costs}

Settings:

{settings}

## Validation

nDCG@10 of judged passages in the fused ranking, on questions of the training side that
taught nothing; the dense leg's weight is fitted for each row.

{validation}

{MARK}
"""


def _costs(results: Sequence[VariantResult]) -> Iterator[str]:
    yield "| variant | steps | tokens | seconds | CPU seconds | loss, from first to last |"
    yield "|---|---|---|---|---|---|"
    for each in results:
        stride = max(1, len(each.loss) // 20)
        curve = " ".join(f"{loss:.2f}" for loss in each.loss[::stride])
        yield (
            f"| {each.variant} | {each.steps} | {each.tokens} | {each.seconds:.0f} | "
            f"{each.cpu_seconds:.0f} | {curve} |"
        )


def _validation(results: Sequence[VariantResult]) -> Iterator[str]:
    yield "| variant | share | dense weight | overall | voted | new | dense alone |"
    yield "|---|---|---|---|---|---|---|"
    for each in results:
        for quality in each.validation:
            cells = (quality.overall, quality.voted, quality.new, quality.dense_alone)
            columns = " | ".join("–" if cell is None else f"{cell:.4f}" for cell in cells)
            yield f"| {each.variant} | {quality.share:g} | {quality.dense_weight:g} | {columns} |"
