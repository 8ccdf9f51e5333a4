"""Runs that train in a second: a random encoder of two layers, sixty passages, invented words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gyre_common.store import digest_of
from gyre_trainer.recipes.query_encoder.model import (
    TrainableQueryEncoder,
    encode_texts,
    open_base,
    open_tokenizer,
)
from gyre_trainer.recipes.query_encoder.validation import VariantResult
from gyre_trainer.runs.folder import RunFolder
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers.models.bert import BertConfig, BertModel

HIDDEN, TOPICS, PASSAGES, QUESTIONS = 32, 12, 60, 48
_SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
_A_REBUILT_INDEX = {
    "version": "minilm-2",
    "digest": digest_of(b"its bytes"),
    "index": "passages-2",
    "fits": "minilm",
    "registered_at": "2026-01-05T11:00:00Z",
}


def a_base(folder: Path, *, hidden: int = HIDDEN, layers: int = 2, seed: int = 0) -> Path:
    """A random BERT in sentence-transformers' layout, its words `w0` … `w199`."""
    folder.mkdir(parents=True)
    vocabulary = {word: at for at, word in enumerate((*_SPECIAL, *(f"w{n}" for n in range(200))))}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=64,
    )
    torch.manual_seed(seed)
    bert = BertModel(config, add_pooling_layer=False)
    for name, value in bert.named_parameters():
        if value.dim() > 1:  # so large that texts differ, as they do in a trained one
            torch.nn.init.normal_(value, std=0.15 if "embeddings" not in name else 1.0)
    save_file(bert.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    (folder / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}'
    )
    _a_tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    return folder


def _a_tokenizer(vocabulary: Mapping[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(dict(vocabulary), unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def never() -> bool:
    """A stop signal that nobody gives."""
    return False


@dataclass(frozen=True)
class TinyRun:
    """A run's folder, ready to train."""

    folder: RunFolder

    def outcome(self, variant: str = "full") -> VariantResult:
        return VariantResult.model_validate_json(
            (self.folder.variant(variant) / "result.json").read_bytes()
        )

    def tuned(self, variant: str = "full") -> dict[str, Tensor]:
        return load_file(self.folder.variant(variant) / "tuned.safetensors")

    def reported_steps(self) -> list[int]:
        path = self.folder.progress_file
        lines = path.read_text().splitlines() if path.exists() else []
        return [step for line in lines if (step := json.loads(line)["step"])]


def a_run(path: Path, base: Path, **settings: object) -> TinyRun:
    """Questions use other words than the passages of their topic; every third one validates."""
    path.mkdir(parents=True)
    dice = np.random.default_rng(5)
    topics = [[f"w{n}" for n in dice.choice(100, 6, replace=False)] for _ in range(TOPICS)]
    aliases = [[f"w{100 + n}" for n in dice.choice(100, 6, replace=False)] for _ in range(TOPICS)]
    passages = [_some(dice, topics[at % TOPICS], 12) for at in range(PASSAGES)]
    encoder, tokenizer = open_base(base, HIDDEN), open_tokenizer(base, 32)
    vectors = encode_texts(encoder, tokenizer, passages)
    np.save(path / "corpus.npy", vectors)
    _write(path / "corpus.jsonl", [_a_passage(at, text) for at, text in enumerate(passages)])
    questions = [_some(dice, aliases[at % TOPICS], 4) for at in range(QUESTIONS)]
    rows = [_a_question(at, dice) for at in range(QUESTIONS)]
    (path / "data_set").mkdir()
    _write(path / "data_set" / "train.jsonl", rows)
    seal(path / "data_set")
    _write(path / "questions.jsonl", [_its_text(at, text) for at, text in enumerate(questions)])
    _write(path / "live.jsonl", _live_lines(encoder, tokenizer, questions, vectors))
    spec = {
        "run_id": "00000000-0000-7000-8000-000000000001",
        "tenant": "default",
        "recipe": "query-encoder",
        "role": "query-encoder",
        "actor": "ann",
        "version": "votes-00000001",
        "live": {"document-encoder": _A_REBUILT_INDEX},
        "started_at": "2026-01-05T12:00:00Z",
        "settings": {
            "batch": "8",
            "epochs": "3",
            "seed": "3",
            "rehearsal": "0",
            **{k: str(v) for k, v in settings.items()},
        },
    }
    (path / "run.json").write_text(json.dumps(spec))
    (path / "inputs.json").write_text(json.dumps({"base_folder": str(base)}))
    return TinyRun(RunFolder(path))


def seal(data_set: Path) -> None:
    """Write the manifest of what is there now."""
    (data_set / "card.json").write_text("{}")
    names = ("train.jsonl", "card.json")
    files = {name: {"digest": digest_of((data_set / name).read_bytes())} for name in names}
    manifest = {"files": files}
    (data_set / "manifest.json").write_text(json.dumps(manifest))


def _some(dice: np.random.Generator, words: Sequence[str], count: int) -> str:
    return " ".join(dice.choice(words, count))


def _a_passage(at: int, text: str) -> dict[str, object]:
    return {"chunk_id": f"c{at}", "tenant": "default", "title": text[:8], "text": f"{text}."}


def _its_text(at: int, text: str) -> dict[str, object]:
    return {"tenant": "default", "question_id": f"q{at}", "question": text}


def _a_question(at: int, dice: np.random.Generator) -> dict[str, object]:
    """Shown ten passages, of which those of its topic are wanted, the others passed over."""
    good = [each for each in range(PASSAGES) if each % TOPICS == at % TOPICS][:2]
    other = [int(each) for each in dice.choice(PASSAGES, 8) if each % TOPICS != at % TOPICS]
    labels = {**dict.fromkeys(other, -0.25), **dict.fromkeys(good, 1.0)}
    return {
        "question_id": f"q{at}",
        "tenant": "default",
        "part": "validation" if at % 3 == 2 else "fit",
        "held_out": at % 6 == 5,
        "shown": [{"chunk_id": f"c{each}", "label": label} for each, label in labels.items()],
    }


def _live_lines(
    encoder: TrainableQueryEncoder,
    tokenizer: Tokenizer,
    questions: Sequence[str],
    vectors: np.ndarray,
) -> list[dict[str, object]]:
    """Live found everything by vector, and a few passages by BM25."""
    scores = encode_texts(encoder, tokenizer, questions) @ vectors.T
    return [
        {
            "question_id": f"q{at}",
            "legs": [
                [f"c{each}", float(each % 7) if each % 5 == 0 else None, float(score), float(score)]
                for each, score in enumerate(row)
            ],
        }
        for at, row in enumerate(scores)
    ]


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
