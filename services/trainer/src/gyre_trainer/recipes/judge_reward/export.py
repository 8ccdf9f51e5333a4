"""Verb `export`: what was learned becomes one model and the graph that serves it, in the store."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.model_folders import keep_model
from gyre_common.reward_input import FRAME, GRAPH, INPUT, METHOD, OUTPUT
from gyre_common.store import Store
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.export import Dim
from transformers import AutoTokenizer, PreTrainedModel

from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.batches import TokenizedSample, check_something_is_left
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.export import card_of, trained_result
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.model import save_tokenizer
from gyre_trainer.language_models.report import MARK
from gyre_trainer.language_models.result import LEARNED, RESULT, VariantResult
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig
from gyre_trainer.recipes.judge_reward.model import open_learned, trunk
from gyre_trainer.recipes.judge_reward.pairs import tokenized_pairs
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.runs.verbs import EXPORT
from gyre_trainer.settings import TrainerSettings

MOST_DIFFERENCE = 1e-3
"""Of a reward; at most a quarter of that of the score between 0 and 1."""

_CHECKED = 4
"""Pairs on which the graph is held against torch."""


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises as `write_candidate` does, and Retryable when the store is away."""
    folder.progress(EXPORT, message="writing the model and its graph")
    config = JudgeRewardConfig.from_settings(folder.spec().settings)
    result, difference = write_candidate(folder, config)
    folder.progress(EXPORT, message="putting the model into the store")
    store, spec = Store(settings.store_url), folder.spec()
    stored = await retry_while_away(
        lambda: keep_model(store, folder.candidate), seconds=STORE_SECONDS
    )
    validation = {"base": result.validation.before, "tuned": result.validation.after}
    candidate = ExportedCandidate(
        version=spec.version,
        digest=stored.digest,
        uri=stored.uri,
        settings={"method": METHOD},
        variant=result.variant,
        metrics={
            "loss": result.loss[-1],
            "tokens": result.tokens,
            "cpu_seconds": result.cpu_seconds,
            "onnx_difference": difference,
            **{f"validation_{name}": each for name, each in validation.items() if each is not None},
        },
    )
    write_json(folder.candidate_file, candidate)


def write_candidate(folder: RunFolder, config: JudgeRewardConfig) -> tuple[VariantResult, float]:
    """Fill `candidate/`, whole or not at all; returns how far a reward of the graph is from torch's
    at most. Raises FailedPrecondition: it is not trained, or they are too far apart; Retryable: the
    disk is full or read-only.
    """
    data, variant = RunData(folder), config.variant
    own = folder.variant(variant)
    result = trained_result(own / RESULT, variant)
    partial = folder.path / ".candidate"
    try:
        network = open_learned(data.base_folder, own / LEARNED, variant)
        shutil.rmtree(partial, ignore_errors=True)
        save_tokenizer(data.base_folder, partial)
        chats = ChatTokenizer(AutoTokenizer.from_pretrained(partial, local_files_only=True))
        samples = tokenized_pairs(data.samples(DataSetPart.FIT), chats, config)
        check_something_is_left(samples)
        frame = chats.frame(config.longest)
        write_json(partial / FRAME, frame)
        _save_network(network, partial, ends=frame.end)
        difference = write_graph(network, partial / GRAPH, samples.samples[:_CHECKED])
        card = card_of(data, result, folder) | {"onnx_difference": difference}
        write_json(partial / "card.json", card)
        (partial / "README.md").write_text(_readme(card, result), encoding="utf-8")
        shutil.rmtree(folder.candidate, ignore_errors=True)
        partial.rename(folder.candidate)
    except FileNotFoundError as error:
        raise FailedPrecondition(
            f"{error.filename} is missing: train {variant} again with a new run"
        ) from error
    except (OSError, SafetensorError) as error:
        raise Retryable(f"cannot write to {folder.path}: {error}") from error
    return result, difference


def _save_network(network: PreTrainedModel, folder: Path, *, ends: Sequence[int]) -> None:
    """As transformers keep a classifier. That reads the last token that does not pad, so what pads
    must not end an answer.
    """
    of = network.config
    if of.pad_token_id in (None, *ends):
        others = (getattr(of, name, None) for name in ("bos_token_id", "eos_token_id"))
        of.pad_token_id = next((each for each in others if each not in (None, *ends)), None)
    network.save_pretrained(folder, safe_serialization=True)


class _LastToken(nn.Module):
    """The reward of one text, read at its last token."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor) -> Tensor:
        hidden = trunk(self.network)(input_ids=input_ids, use_cache=False).last_hidden_state
        reward: Tensor = self.network.score(hidden[:, -1])
        return reward


def write_graph(network: PreTrainedModel, path: Path, pairs: Sequence[TokenizedSample]) -> float:
    """From tokens (1, tokens) to a reward (1, 1); returns the greatest difference from torch."""
    path.parent.mkdir(parents=True)
    network.set_attn_implementation("sdpa")
    texts = [
        torch.tensor([[*pair.prompt, *answer]])
        for pair in pairs
        for answer in (pair.ids[len(pair.prompt) :], *pair.others)
    ]
    model = _LastToken(network).eval()
    program = torch.onnx.export(
        model,
        kwargs={INPUT: texts[0]},
        output_names=[OUTPUT],
        dynamic_shapes={INPUT: {1: Dim("tokens", min=2)}},
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.save(str(path))
    difference = max(_differences(model, path, texts))
    if not difference <= MOST_DIFFERENCE:
        raise FailedPrecondition(
            f"the ONNX graph is {difference:.1e} away from torch, "
            f"more than {MOST_DIFFERENCE:.0e}: it would serve something else than was trained"
        )
    return difference


def _differences(model: _LastToken, path: Path, texts: Sequence[Tensor]) -> Iterator[float]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for ids in texts:
        with torch.no_grad():
            expected = model(ids).item()
        (reward,) = session.run([OUTPUT], {INPUT: ids.numpy()})
        yield abs(float(reward[0, 0]) - expected)


def _readme(card: Mapping[str, Any], result: VariantResult) -> str:
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
    return f"""\
---
library_name: transformers
pipeline_tag: text-classification
base_model: {card["base"]["version"]}
---
# {card["version"]}

A reward model: it gives an answer to a question, beside the passages that were read for it, one
number, the higher the likelier people prefer it. It learned from pairs of answers, of which people
preferred one, starting from
{card["base"]["version"]} (`{card["base"]["digest"]}`).

`{FRAME}` holds the tokens around the texts, `{GRAPH}` the model as one graph: from the ids of one
text to its reward.

## Data

- data set `{card["data_set"]["digest"]}`, tenant {card["tenant"]}, profile {card["profile"]}
- {fit["answers"]} pairs: {fit["correction"] + fit["declined"]} corrections against what they \
correct, {fit["liked"]} liked answers against disliked ones, by {data_card["actors"]} people
- {result.cut} samples lost a part of a passage, {result.left_out} were too long
- groups whose documents it has seen: {groups}

## Training

- run `{card["run"]}`, code {card["code"] or "not recorded"}, variant {result.variant}
- {result.steps} steps, {result.tokens} tokens, {result.seconds:.0f} s, \
{result.cpu_seconds:.0f} CPU seconds
- loss: {curve}
- on {result.validation.questions} validation pairs, nats a pair: {before} before, {after} after
- ONNX differs from torch by at most {card["onnx_difference"]:.1e}

Settings:

{settings}

{MARK}
"""
