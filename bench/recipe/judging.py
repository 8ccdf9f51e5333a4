"""Judges a trained fold by the benchmark's own judgements, at each share of the way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gyre_cli.demo.corpus import DemoQuestion
from gyre_cli.demo.measures import ndcg
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles, RunData
from gyre_trainer.recipes.query_encoder.model import (
    encode_texts,
    interpolate_weights,
    open_base,
    open_tokenizer,
    window,
)
from gyre_trainer.recipes.query_encoder.ranking import LiveHits, exact_legs
from gyre_trainer.recipes.query_encoder.report import Weights
from gyre_trainer.recipes.query_encoder.validation import TUNED
from gyre_trainer.runs.folder import RunFolder
from safetensors.torch import load_file

from bench.recipe.folds import VARIANT

SHARES = (0.5, 0.75, 1.0)


@dataclass(frozen=True)
class QuestionScores:
    """A question that taught nothing: nDCG@10 by the base, and at each share of the way from it.

    `new`: none of its relevant documents had a good vote to learn from.
    """

    name: str
    cluster: str
    new: bool
    base: float
    tuned: Mapping[float, float]


@dataclass(frozen=True)
class HeldOutQuestion:
    """A question of the fold as the benchmark judges it, and what the run calls it."""

    recorded_id: str
    cluster: str
    question: DemoQuestion


def score_questions(
    folder: RunFolder, held_out: Sequence[HeldOutQuestion], liked: frozenset[str]
) -> Iterator[QuestionScores]:
    """Each question of the fold that live was asked; fused by live's own weights."""
    data = RunData(folder)
    base = open_base(data.base_folder, data.corpus.dimensions)
    tokenizer = open_tokenizer(data.base_folder, window(data.base_folder))
    tuned = load_file(folder.variant(VARIANT) / TUNED)
    start = {name: base.bert.state_dict()[name].clone() for name in tuned}
    there = [one for one in held_out if one.recorded_id in data.live]
    texts = [one.question.text for one in there]
    vectors = {}
    for share in (0.0, *SHARES):
        base.bert.load_state_dict(interpolate_weights(start, tuned, share), strict=False)
        vectors[share] = encode_texts(base, tokenizer, texts)
    documents = _documents(folder)
    weights = Weights(bm25=1 - data.dense_weight, dense=data.dense_weight)
    for at, one in enumerate(there):
        legs_of_question = data.live[one.recorded_id]

        def value(
            share: float,
            at: int = at,
            legs_of_question: LiveHits = legs_of_question,
            one: HeldOutQuestion = one,
        ) -> float:
            similarity = data.corpus.vectors @ vectors[share][at]
            legs = exact_legs(legs_of_question, similarity, data.corpus.position, depth=data.depth)
            ranked = legs.ranked(weights)
            order = tuple(dict.fromkeys(documents[name] for name in ranked))
            return ndcg(order, one.question.relevant)

        yield QuestionScores(
            one.question.question_id,
            one.cluster,
            not (one.question.relevant & liked),
            value(0.0),
            {share: value(share) for share in SHARES},
        )


def _documents(folder: RunFolder) -> Mapping[str, str]:
    with QueryEncoderFiles(folder).corpus_rows.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    if not all("document_id" in row for row in rows):
        raise SystemExit(f"error: {folder.path} was made by an older version: run bench.loop again")
    return {row["chunk_id"]: row["document_id"] for row in rows}
