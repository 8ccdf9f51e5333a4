"""Runs of recipes of the generator that train in a second: a random Llama that reads bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gyre_common.events.releases import Artifact
from gyre_common.store import digest_of
from gyre_trainer.data_sets.answers import AnswerKind, AnswerRow, mark_of
from gyre_trainer.data_sets.frozen import DataSetPart, frozen_of, write_folder
from gyre_trainer.data_sets.question_context import PassageRead, QuestionContext
from gyre_trainer.language_models.config import LanguageModelConfig, Precision, Variant
from gyre_trainer.language_models.inputs import (
    Inputs,
    LanguageModelRunFiles,
    Sample,
    folder_digest,
    write_samples,
)
from gyre_trainer.language_models.model import make_trainable, open_base, save_learned
from gyre_trainer.language_models.result import LEARNED, VariantResult
from gyre_trainer.runs.folder import RunFolder, write_json
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import Tensor
from transformers import PreTrainedTokenizerFast
from transformers.models.llama import LlamaConfig, LlamaForCausalLM

_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)
_DIGEST = "sha256:" + "a" * 64


def a_tokenizer(template: str | None = _TEMPLATE, *, reserved: int = 0) -> PreTrainedTokenizerFast:
    """Every byte is a token, and there are special ones that nothing uses."""
    special = (*_SPECIAL, *(f"<|reserved_{at}|>" for at in range(reserved)))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate((*special, *letters))}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=template,
    )


def a_language_model(folder: Path, *, seed: int = 0, reserved: int = 0, width: int = 32) -> Path:
    """A folder of weights as people add them."""
    tokenizer = a_tokenizer(reserved=reserved)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    for value in model.parameters():
        if value.dim() > 1:  # so large that tokens differ, as they do in a trained one
            torch.nn.init.normal_(value, std=0.15 * (32 / width) ** 0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def an_adapter(folder: Path, base: Path, *, rank: int = 3) -> Path:
    """Of a base, and so strong that every token is another."""
    network, _ = open_base(base)
    torch.manual_seed(2)
    config = LanguageModelConfig(rank=rank, precision=Precision.SINGLE)
    model = make_trainable(network, config, Variant.LOW_RANK)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    save_learned(model, model.state_dict(), folder)
    return folder


def a_sample(at: int, part: DataSetPart = DataSetPart.FIT, **overrides: Any) -> Sample:
    """A short question, and as an answer one of three words."""
    row = AnswerRow(
        question_id=f"q{at}",
        tenant="acme",
        part=part,
        cluster=f"c{at}",
        kind=AnswerKind.CORRECTION,
        weight=1.0 if at % 2 else 0.5,
        held_out=at % 2 == 0,
        versions={"generator": "tiny"},
    )
    fields: dict[str, Any] = {
        "row": row,
        "asked": QuestionContext("acme", f"{at}?", (), ()),
        "system": "Answer.",
        "user": f"{mark_of('1')}\nQuestion: {at}?",
        "passages": {"1": f"passage {at} of many"},
        "answer": ("red", "green", "blue")[at % 3],
    }
    return Sample(**(fields | overrides))


PARTS = [DataSetPart.FIT] * 24 + [DataSetPart.VALIDATION] * 6 + [DataSetPart.GATE] * 6


def pairs() -> list[Sample]:
    """As many as `a_run` has samples: one word is better than another, of another length."""
    rejected = ("yellow", "grey", "a colour")
    return [a_sample(at, part, rejected=rejected[at % 3]) for at, part in enumerate(PARTS)]


def judged_pairs() -> list[Sample]:
    """The same as a judge reads them, from what was asked and read."""
    return [
        pair.model_copy(
            update={
                "asked": QuestionContext(
                    "acme",
                    f"{at}?",
                    (),
                    (PassageRead(f"p{at}", f"d{at}", "", f"passage {at} of many"),),
                )
            }
        )
        for at, pair in enumerate(pairs())
    ]


def labelled() -> list[Sample]:
    """Of every three, two answers that should be given and one that should not."""
    return [with_row(a_sample(at, part), desirable=at % 3 != 1) for at, part in enumerate(PARTS)]


def of_full_trust(samples: Sequence[Sample]) -> list[Sample]:
    """The same, each of weight 1: other trainers know no other."""
    return [with_row(sample, weight=1.0) for sample in samples]


def with_row(sample: Sample, **changes: object) -> Sample:
    return sample.model_copy(update={"row": sample.row.model_copy(update=changes)})


@dataclass(frozen=True)
class TinyRun:
    """A run's folder, ready to train."""

    folder: RunFolder

    def result(self, variant: str = "low-rank") -> VariantResult:
        path = self.folder.variant(variant) / "result.json"
        return VariantResult.model_validate_json(path.read_bytes())

    def learned(self, variant: str = "low-rank") -> dict[str, Tensor]:
        (path,) = (self.folder.variant(variant) / LEARNED).glob("*.safetensors")
        return load_file(path)

    def reported_steps(self) -> list[int]:
        path = self.folder.progress_file
        lines = path.read_text().splitlines() if path.exists() else []
        return [step for line in lines if (step := json.loads(line)["step"])]


def a_run(
    path: Path,
    base: Path,
    *,
    samples: Sequence[Sample] | None = None,
    start: Path | None = None,
    **settings: object,
) -> TinyRun:
    """Two dozen samples to learn from, six to validate, and six for the gate. A setting that is
    None is left out. It goes on from the adapter in `start`.
    """
    samples = samples or [a_sample(at, part) for at, part in enumerate(PARTS)]
    path.mkdir(parents=True)
    folder = RunFolder(path)
    parts_of_card = {"fit": {"correction": 24, "declined": 0, "liked": 0}}
    card: dict[str, Any] = {
        "kind": "answers",
        "profile": "demo",
        "window": {},
        "builder": "test",
        "train_questions": 30,
        "gate_questions": 6,
        "parts": parts_of_card,
        "groups": [],
        "actors": 3,
    }
    frozen = frozen_of("acme", [sample.row for sample in samples], card)
    write_folder(frozen, folder.data_set)
    files = LanguageModelRunFiles(folder)
    write_samples(files.samples, samples)
    artifact = Artifact(
        version="tiny",
        digest=_DIGEST,
        settings={"backend": "openai", "model": "tiny"},
        registered_at="2026-01-05T12:00:00Z",
    )
    inputs = Inputs(
        base_folder=str(base),
        base_digest=folder_digest(base),
        base=artifact,
        start_folder=str(start or ""),
        start_digest=folder_digest(start) if start else "",
        start=artifact.model_copy(update={"version": "tiny-sft"}) if start else None,
        prompt="answer-1",
        data_set=frozen.digest,
        samples_digest=digest_of(files.samples.read_bytes()),
    )
    write_json(files.inputs, inputs)
    defaults: dict[str, object] = {
        "batch": 8,
        "epochs": 3,
        "seed": 3,
        "packed_tokens": 256,
        "rank": 4,
    }
    defaults |= {"precision": "single"}  # on every machine
    spec = {
        "run_id": "00000000-0000-7000-8000-000000000001",
        "tenant": "acme",
        "recipe": "sft",
        "role": "generator",
        "profile": "demo",
        "actor": "ann",
        "version": "tiny-00000001",
        "live": {"generator": artifact.model_dump(mode="json")},
        "started_at": "2026-01-05T12:00:00Z",
        "settings": {
            name: str(value) for name, value in (defaults | settings).items() if value is not None
        },
    }
    (path / "run.json").write_text(json.dumps(spec))
    return TinyRun(folder)
