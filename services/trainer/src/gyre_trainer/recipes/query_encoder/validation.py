"""What a variant came to: how good its weights are at each share of the way from the base."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from gyre_common.errors import Retryable
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.examples import TrainingQuestion, merge_questions
from gyre_trainer.recipes.query_encoder.inputs import EncodedCorpus, Flags, Floats, RunData
from gyre_trainer.recipes.query_encoder.model import (
    TrainableQueryEncoder,
    encode_texts,
    interpolate_weights,
    open_tokenizer,
    window,
)
from gyre_trainer.recipes.query_encoder.ranking import (
    GateQuestion,
    Legs,
    LiveHits,
    exact_legs,
    fit_at_share,
    fit_weights,
    grade_of,
)
from gyre_trainer.runs.folder import write_json
from gyre_trainer.training.bootstrap import ONE_SIDED, mean_and_error
from gyre_trainer.training.checkpoint import Position

TUNED = "tuned.safetensors"
RESULT = "result.json"
HALF_WAY = 0.5


class Quality(BaseModel):
    """nDCG@10 of judged passages (0..1) at one share of the tuned weights, fusion weights refitted.

    `voted` and `new` are the questions whose documents had votes to learn from and those whose had
    none, None without questions. `error` and `new_error` are standard errors of the difference from
    the base; the share lies so many standard errors `behind` the one that does best.
    """

    model_config = ConfigDict(frozen=True)

    share: float
    dense_weight: float
    overall: float = 0.0
    voted: float | None = None
    new: float | None = None
    error: float = 0.0
    new_error: float = 0.0
    behind: float = 0.0
    dense_alone: float = 0.0


class VariantResult(BaseModel):
    """`result.json`: `loss` by step, `cpu_seconds` of all processes, `tokens` without padding."""

    model_config = ConfigDict(frozen=True)

    variant: Variant
    steps: int
    loss: tuple[float, ...]
    tokens: int
    cpu_seconds: float
    seconds: float
    settings: QueryEncoderConfig
    questions: Mapping[str, int]
    validation: tuple[Quality, ...]
    chosen_share: float

    @property
    def chosen_quality(self) -> Quality:
        """The quality at the chosen share."""
        return next(each for each in self.validation if each.share == self.chosen_share)


def write_result(
    own: Path,
    variant: Variant,
    config: QueryEncoderConfig,
    position: Position,
    base: TrainableQueryEncoder,
    tuned: Mapping[str, Tensor],
    data: RunData,
) -> None:
    """`result.json` is last. Raises Retryable when the disk is full or read-only."""
    folder = data.base_folder
    tokenizer = open_tokenizer(folder, window(folder))
    questions = merge_questions(data.questions, "validation")
    validation = Validation(
        questions, data.corpus, data.live, dense_weight=data.dense_weight, depth=data.depth
    )
    encoder = copy.deepcopy(base).cpu()
    state = encoder.bert.state_dict()
    start = {name: state[name].clone() for name in tuned}
    vectors = {}
    for share in (0.0, *config.shares):
        encoder.bert.load_state_dict(interpolate_weights(start, tuned, share), strict=False)
        vectors[share] = encode_texts(encoder, tokenizer, validation.texts)
    qualities = validation.qualities(vectors)
    result = VariantResult(
        variant=variant,
        steps=position.step,
        loss=tuple(position.losses),
        tokens=position.tokens,
        cpu_seconds=position.cpu_seconds,
        seconds=position.seconds,
        settings=config,
        questions={"fit": len(merge_questions(data.questions, "fit")), **validation.counts},
        validation=tuple(qualities),
        chosen_share=chosen_share(qualities),
    )
    partial = own / f".{TUNED}"
    try:
        save_file(dict(tuned), partial)
        partial.replace(own / TUNED)
        write_json(own / RESULT, result)
    except (OSError, SafetensorError) as error:
        raise Retryable(
            f"cannot write to {own}: {error} — make room and start the run again"
        ) from error


class Validation:
    """Fused retrieval on questions of the training side that taught nothing: live's BM25 leg beside
    an exact dense leg, measured as the comparison measures, each question alike.
    """

    def __init__(
        self,
        questions: Sequence[TrainingQuestion],
        corpus: EncodedCorpus,
        live: Mapping[str, LiveHits],
        *,
        dense_weight: float,
        depth: int,
    ) -> None:
        """Both are live's: the dense leg's share in the weighted sum, and each leg's hits."""
        self._corpus = corpus
        self._dense_weight = dense_weight
        self._depth = depth
        self._questions: list[GateQuestion] = []
        self._retrieved: list[tuple[LiveHits, Flags | None]] = []
        for at, question in enumerate(questions):
            live_hits = question.live_hits(live)
            grades = {
                chunk: grade_of(label)
                for chunk, label in question.labels.items()
                if chunk in corpus.position
            }
            if live_hits is not None and any(grades.values()):
                measured = GateQuestion(
                    question_id=str(at),
                    tenant=question.tenant,
                    acl=question.acl,
                    text=question.text,
                    cluster=question.cluster,
                    new=question.held_out,
                    grades=grades,
                    chance=1.0,
                )
                self._questions.append(measured)
                self._retrieved.append((live_hits, corpus.hidden(question.tenant, question.acl)))
        self._clusters = np.array([one.cluster for one in self._questions], dtype=np.str_)
        self._new = np.array([one.new for one in self._questions], dtype=np.bool_)
        self.texts = [one.text for one in self._questions]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many questions there are, and of those how many in each slice."""
        new = int(self._new.sum())
        return {"overall": len(self._questions), "voted": len(self._questions) - new, "new": new}

    def qualities(self, vectors: Mapping[float, Floats]) -> list[Quality]:
        """`vectors` holds those of `texts` at each share, 0 among them."""
        questions, shares, new = self._questions, sorted(vectors), self._new
        if not questions:
            weight = round(self._dense_weight, 4)
            return [Quality(share=share, dense_weight=weight) for share in shares]
        legs = {share: self._legs(vectors[share]) for share in shares}
        mass = np.ones(len(questions))
        fitted = {
            share: fit_weights(questions, legs[share], self._dense_weight, mass) for share in shares
        }
        base = fitted[0.0].values
        best = max((each.values for each in fitted.values()), key=lambda values: values.mean())
        qualities = []
        for share in shares:
            values = fitted[share].values
            behind = float((best - values).mean())
            error_behind = max(_error(best - values, self._clusters), 1e-9)
            quality = Quality(
                share=share,
                dense_weight=fitted[share].weights.dense,
                overall=float(values.mean()),
                voted=_mean(values[~new]),
                new=_mean(values[new]),
                error=_error(values - base, self._clusters),
                new_error=_error((values - base)[new], self._clusters[new]),
                behind=round(behind / error_behind, 6) if behind > 1e-9 else 0.0,
                dense_alone=float(fit_at_share(questions, legs[share], 1.0).values.mean()),
            )
            qualities.append(quality)
        return qualities

    def _legs(self, vectors: Floats) -> dict[str, Legs]:
        similarity = vectors @ self._corpus.vectors.T
        return {
            question.question_id: exact_legs(
                live_hits,
                row,
                self._corpus.position,
                depth=self._depth,
                hidden=hidden,
                among=question.grades,
            )
            for row, question, (live_hits, hidden) in zip(
                similarity, self._questions, self._retrieved, strict=True
            )
        }


def chosen_share(qualities: Sequence[Quality]) -> float:
    """The largest share that is as good as the best while the new slice does not fall; else 0.

    A fall counts when chance does not explain it (one-sided, 95 %, as the gate bounds it). As good
    as the best is what lies within one standard error of it; the largest share, because what was
    judged is what live showed, and so speaks for live. Where none is as good, the best of those
    without a fall, 0 among them. Without any question it is the share nearest to half-way
    (Wortsman et al. 2022, arXiv:2109.01903).
    """
    base = next(each for each in qualities if each.share == 0)
    tuned = [each for each in qualities if each.share > 0]
    if base.voted is None and base.new is None:
        return min(tuned or [base], key=lambda each: abs(each.share - HALF_WAY)).share
    without_fall = [
        each
        for each in tuned
        if each.new is None or base.new is None or each.new >= base.new - ONE_SIDED * each.new_error
    ]
    near = [each.share for each in without_fall if each.behind <= 1]
    if near:
        return max(near)
    return max([base, *without_fall], key=lambda each: each.overall).share


def _error(gains: NDArray[np.float64], clusters: NDArray[np.str_]) -> float:
    """The standard error of their mean; 0 where one question alone tells of none."""
    if len(set(clusters)) < 2:
        return 0.0
    return mean_and_error(gains, np.ones(len(gains)), clusters)[1]


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
