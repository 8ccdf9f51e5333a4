"""Judges a trained fold by the benchmark's own judgements, at each share of the way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gyre_cli.demo.corpus import DemoQuestion
from gyre_cli.demo.measures import ndcg
from gyre_trainer.recipes.query_encoder.comparison.ranking import Weights
from gyre_trainer.recipes.query_encoder.exact_search import exact_legs
from gyre_trainer.recipes.query_encoder.files import QueryEncoderFiles
from gyre_trainer.recipes.query_encoder.inputs import Found, RunData
from gyre_trainer.recipes.query_encoder.model import (
    interpolated,
    open_base,
    open_tokenizer,
    window,
)
from gyre_trainer.recipes.query_encoder.outcome import TUNED, encoded
from gyre_trainer.runs.folder import RunFolder
from safetensors.torch import load_file

from bench.recipe.folds import VARIANT

SHARES = (0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Judged:
    """A question that taught nothing: nDCG@10 by the base, and at each share of the way from it.

    `new`: none of its relevant documents had a good vote to learn from.
    """

    name: str
    cluster: str
    new: bool
    base: float
    tuned: Mapping[float, float]


@dataclass(frozen=True)
class Left:
    """A question of the fold as the benchmark judges it, and what the run calls it."""

    asked_as: str
    cluster: str
    question: DemoQuestion


def judged(folder: RunFolder, left: Sequence[Left], liked: frozenset[str]) -> Iterator[Judged]:
    """Each question of the fold that live was asked; fused by live's own weights."""
    data = RunData(folder)
    base = open_base(data.base_folder, data.corpus.dimensions)
    tokenizer = open_tokenizer(data.base_folder, window(data.base_folder))
    tuned = load_file(folder.variant(VARIANT) / TUNED)
    start = {name: base.bert.state_dict()[name].clone() for name in tuned}
    there = [one for one in left if one.asked_as in data.live]
    texts = [one.question.text for one in there]
    vectors = {}
    for share in (0.0, *SHARES):
        base.bert.load_state_dict(interpolated(start, tuned, share), strict=False)
        vectors[share] = encoded(base, tokenizer, texts)
    documents = _documents(folder)
    weights = Weights(bm25=1 - data.dense_weight, dense=data.dense_weight)
    for at, one in enumerate(there):
        found = data.live[one.asked_as]

        def value(share: float, at: int = at, found: Found = found, one: Left = one) -> float:
            similarity = data.corpus.vectors @ vectors[share][at]
            legs = exact_legs(found, similarity, data.corpus.position, depth=data.depth)
            ranked = legs.ranked(weights)
            order = tuple(dict.fromkeys(documents[name] for name in ranked))
            return ndcg(order, one.question.relevant)

        yield Judged(
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
