"""A run's folder to train on: SciFact's train claims with their passages, or invented words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gyre_common.events.event import now
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.store import digest_of
from gyre_trainer.recipes.query_encoder.model import encode_texts, open_base, open_tokenizer
from gyre_trainer.recipes.query_encoder.prepare import package_folder

from bench import beir

_TOKENS = 64  # of a passage: enough to train against, quick to encode


@dataclass(frozen=True)
class Pairs:
    """Questions, passages, and for each question the positions of those that answer it."""

    questions: Sequence[str]
    passages: Sequence[str]
    relevant: Sequence[Sequence[int]]


def some_pairs(folder: Path | None, questions: int, passages: int) -> Pairs:
    """From a BEIR folder where there is one."""
    return _from_beir(folder, questions, passages) if folder else _invented(questions, passages)


def write_run(path: Path, pairs: Pairs, settings: Mapping[str, str]) -> None:
    """The files that the recipe trains from; every question is to be learned from."""
    shipped = built_in_artifacts(now())[Roles.DOCUMENT_ENCODER]
    base = package_folder(shipped.settings["package"], shipped)
    vectors = encode_texts(open_base(base, 384), open_tokenizer(base, _TOKENS), pairs.passages)
    path.mkdir(parents=True, exist_ok=True)
    np.save(path / "corpus.npy", vectors)
    _write(
        path / "corpus.jsonl",
        [{"chunk_id": f"c{at}", "text": text} for at, text in enumerate(pairs.passages)],
    )
    _write_data_set(path / "data_set", pairs)
    _write(
        path / "questions.jsonl",
        [
            {"tenant": "", "question_id": f"q{at}", "question": question}
            for at, question in enumerate(pairs.questions)
        ],
    )
    spec = {
        "run_id": "00000000-0000-7000-8000-000000000000",
        "tenant": "*",
        "recipe": "query-encoder",
        "role": "query-encoder",
        "actor": "bench",
        "version": "bench-1",
        "live": {},
        "started_at": now().isoformat(),
        "settings": dict(settings),
    }
    (path / "run.json").write_text(json.dumps(spec))
    (path / "inputs.json").write_text(json.dumps({"base_folder": str(base)}))


def _write_data_set(folder: Path, pairs: Pairs) -> None:
    folder.mkdir()
    questions = folder / "train.jsonl"
    _write(
        questions,
        [
            {
                "question_id": f"q{at}",
                "shown": [{"chunk_id": f"c{each}", "label": 1.0} for each in relevant],
            }
            for at, relevant in enumerate(pairs.relevant)
        ],
    )
    manifest = {"files": {questions.name: {"digest": digest_of(questions.read_bytes())}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _from_beir(folder: Path, questions: int, passages: int) -> Pairs:
    texts = beir.queries(folder)
    judged = {
        question: [document for document, grade in grades.items() if grade > 0]
        for question, grades in beir.judgements(folder, "train").items()
    }
    relevant = [(key, judged[key]) for key in sorted(judged) if judged[key]][:questions]
    needed = {document for _, some in relevant for document in some}
    texts_by_id: dict[str, str] = {}
    for row in beir.documents(folder):
        if row["_id"] in needed or len(texts_by_id) < passages:
            texts_by_id[row["_id"]] = f"{row['title']}\n{row['text']}"
    position = {document: at for at, document in enumerate(texts_by_id)}
    return Pairs(
        [texts[question] for question, _ in relevant],
        list(texts_by_id.values()),
        [[position[document] for document in some] for _, some in relevant],
    )


def _invented(questions: int, passages: int) -> Pairs:
    dice = np.random.default_rng(1)
    syllables = [first + second for first in "bdfgklmnprst" for second in ("a", "e", "i", "o", "u")]
    words = ["".join(dice.choice(syllables, 3)) for _ in range(2000)]
    texts = [" ".join(dice.choice(words, 80)) for _ in range(passages)]
    relevant = [int(each) for each in dice.integers(passages, size=questions)]
    question_texts = [" ".join(dice.choice(texts[each].split(), 12)) for each in relevant]
    return Pairs(question_texts, texts, [[each] for each in relevant])


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
