"""What is compared: judged questions, the legs of their retrieval, and weights that fit an encoder.

Weights stay at live's unless chance does not explain what others gain (one-sided, 95 %), and only
the leg that has learned gains weight: what wrong votes take from it costs most on documents that
nobody asked about. A larger weight for a tuned encoder brings most where people have voted and may
cost where nobody has: so the never-voted validation questions bound the choice.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import ir_measures
import numpy as np
from gyre_common.fusion import BM25, DENSE, Span, span_of, weighted_sum
from ir_measures import nDCG
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gyre_trainer.data_sets.frozen import DataSetRow
from gyre_trainer.recipes.query_encoder.report import Weights
from gyre_trainer.training.bootstrap import ONE_SIDED, Floats, mean_and_error

MOST_WEIGHT = 10.0
"""No question counts more than so many times one whose good passage stood at the best rank."""

BEST = 10
"""The grade of a passage that is surely good."""

DEPTH = 10
MEASURE = nDCG(judged_only=True) @ DEPTH
"""Passages that nobody judged are taken out of the ranking first (condensed lists: Sakai 2007,
SIGIR), because people judged what the live ranking showed, and an unseen passage is not a bad one.
"""

_RAISES = (0.05, 0.1, 0.15)
"""What a fit may add to live's share of the semantic leg: the leg that has learned."""

Rankings = Mapping[str, Sequence[str]]
"""Chunk ids, best first, by question id."""


@dataclass(frozen=True)
class GateQuestion:
    """A question with at least one good passage; `grades` are 0 (bad, or passed over) to `BEST`.

    `new`: none of its good documents had a good vote in training. `chance` is the probability that
    one of its good passages was shown and judged, so that it is here at all, relative to that of a
    question whose only good passage stood at the best rank.
    """

    question_id: str
    tenant: str
    acl: tuple[str, ...]
    text: str
    cluster: str
    new: bool
    grades: Mapping[str, int]
    chance: float

    @property
    def weight(self) -> float:
        """Clipped inverse propensity (Horvitz and Thompson 1952) times the best grade's share."""
        return min(MOST_WEIGHT, 1.0 / self.chance) * max(self.grades.values()) / BEST


def gate_questions(
    rows: Iterable[DataSetRow], judged: Mapping[int, float], present: Collection[str] | None = None
) -> list[GateQuestion]:
    """Those rows with a good passage: of the others nDCG says nothing. `judged` is the probability,
    by rank, that a passage shown is judged. With `present`, votes on other passages do not count.
    """
    best = max(judged.values(), default=1.0)
    questions = []
    for row in rows:
        grades = {
            passage.chunk_id: grade_of(passage.label)
            for passage in row.shown
            if passage.label is not None and (present is None or passage.chunk_id in present)
        }
        missed = 1.0
        for passage in row.shown:
            if grades.get(passage.chunk_id, 0) > 0:
                missed *= 1.0 - passage.propensity * judged.get(passage.rank, best / MOST_WEIGHT)
        if any(grades.values()):
            question = GateQuestion(
                question_id=row.question_id,
                tenant=row.tenant,
                acl=row.acl,
                text=row.question,
                cluster=row.cluster,
                new=row.held_out,
                grades=grades,
                chance=max(1.0 - missed, 1e-6) / best,
            )
            questions.append(question)
    return questions


def grade_of(label: float) -> int:
    """From 0, bad or passed over, to `BEST`; a label lies between -1 and 1."""
    return 0 if label <= 0 else max(1, round(BEST * label))


def ndcg(questions: Sequence[GateQuestion], rankings: Rankings) -> list[float]:
    """nDCG@10 (0..1) of each question, in their order: gains are the grades, discounts log2(1 +
    rank) (Järvelin and Kekäläinen 2002, TOIS). 0 where no judged passage was found.
    """
    judgements = [
        ir_measures.Qrel(question.question_id, chunk_id, grade)
        for question in questions
        for chunk_id, grade in question.grades.items()
    ]
    run = [
        ir_measures.ScoredDoc(question.question_id, chunk_id, float(-place))
        for question in questions
        for place, chunk_id in enumerate(rankings[question.question_id])
    ]
    values = {
        score.query_id: float(score.value)
        for score in ir_measures.iter_calc([MEASURE], judgements, run)
    }
    return [values.get(question.question_id, 0.0) for question in questions]


class LegHit(NamedTuple):
    """One passage's raw score in each leg, None where that did not find it; and the fused one."""

    chunk_id: str
    bm25: float | None
    dense: float | None
    fused: float = 0.0


@dataclass(frozen=True)
class Legs:
    """One reply of the retriever: its passages in the order it gave them, and each leg's span."""

    hits: Sequence[LegHit]
    spans: Mapping[str, Span]

    @property
    def order(self) -> list[str]:
        """As the retriever ranked them."""
        return [hit.chunk_id for hit in self.hits]

    def ranked(self, weights: Weights) -> list[str]:
        """As the retriever's weighted sum would rank them by these weights, ties included."""
        by_leg = {BM25: weights.bm25, DENSE: weights.dense}
        fused = {}
        for hit in self.hits:
            raw = {BM25: hit.bm25, DENSE: hit.dense}
            scores = {leg: score for leg, score in raw.items() if score is not None}
            fused[hit.chunk_id] = weighted_sum(scores, by_leg, self.spans)
        return sorted(fused, key=lambda chunk_id: (-fused[chunk_id], chunk_id))


class LiveHits(BaseModel):
    """A line of `live.jsonl`, with the least and the greatest score of each leg in `spans`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question_id: str
    legs: tuple[LegHit, ...] = ()
    spans: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @property
    def bm25_scores(self) -> dict[str, float]:
        """Raw, by the ids of the passages that live's BM25 leg found."""
        return {hit.chunk_id: hit.bm25 for hit in self.legs if hit.bm25 is not None}

    @property
    def bm25_span(self) -> Span | None:
        """As live saw it; of the scores themselves where it says nothing."""
        scores = list(self.bm25_scores.values())
        return Span(len(scores), *self.spans[BM25]) if BM25 in self.spans else span_of(scores)

    @property
    def bm25_points(self) -> dict[str, float]:
        """The scores as fusion normalises them, 0 to 1."""
        span = self.bm25_span
        if span is None:
            return {}
        return {chunk: span.normalised(score) for chunk, score in self.bm25_scores.items()}


def exact_legs(
    live_hits: LiveHits,
    similarity: NDArray[np.float32],
    positions: Mapping[str, int],
    *,
    depth: int,
    hidden: NDArray[np.bool_] | None = None,
    among: Collection[str] | None = None,
) -> Legs:
    """Live's BM25 leg beside an exact dense leg: the `depth` best that are not `hidden`.
    `similarity` has a number for each of `positions`. With `among` only these are hits; the spans
    are still of all.
    """
    bm25, bm25_span = live_hits.bm25_scores, live_hits.bm25_span
    visible = similarity if hidden is None else similarity[~hidden]
    depth = min(depth, len(visible))
    least = float(np.partition(visible, -depth)[-depth])
    spans = {DENSE: Span(depth, least, float(visible.max()))}
    if bm25_span is not None:
        spans[BM25] = bm25_span
    hits = []
    for chunk_id in positions if among is None else among:
        score = float(similarity[positions[chunk_id]])
        dense = score if score >= least else None
        if dense is not None or chunk_id in bm25:
            hits.append(LegHit(chunk_id, bm25.get(chunk_id), dense))
    return Legs(hits, spans)


@dataclass(frozen=True)
class WeightFit:
    """Weights that add up to 1, and each question's nDCG@10 by them."""

    weights: Weights
    values: Floats


def refit(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], start: Weights, live: Rankings
) -> tuple[Weights, float]:
    """The weights and their mean nDCG@10; `start` without questions. Of those above it only those
    count that do not lose on never-voted questions against `live`, by more than one standard error.
    """
    share = start.dense / (start.bm25 + start.dense)
    if not questions:
        return _weights_of(share), 0.0
    mass = np.array([question.weight for question in questions])
    clusters = np.array([question.cluster for question in questions])
    new = np.array([question.new for question in questions])
    before = np.array(ndcg(questions, live))

    def allowed(fitted: WeightFit) -> bool:
        gains = (fitted.values - before)[new]
        if len(set(clusters[new])) < 2:  # one question alone tells of no error
            return bool((gains >= 0).all())
        mean, error = mean_and_error(gains, mass[new], clusters[new])
        return mean >= -error - 1e-9

    best_fit = fit_weights(questions, legs, share, mass, allowed)
    return best_fit.weights, float(np.average(best_fit.values, weights=mass))


def fit_weights(
    questions: Sequence[GateQuestion],
    legs: Mapping[str, Legs],
    share: float,
    mass: Floats,
    allowed: Callable[[WeightFit], bool] = lambda _: True,
) -> WeightFit:
    """The best allowed share that surely gains on `share`, else that; `mass` is by question."""
    clusters = np.array([question.cluster for question in questions])
    own = fit_at_share(questions, legs, share)
    best, best_gain = own, 0.0
    for above in sorted({min(1.0, share + each) for each in _RAISES} - {share}):
        fitted = fit_at_share(questions, legs, above)
        gain, error = mean_and_error(fitted.values - own.values, mass, clusters)
        is_sure = gain > ONE_SIDED * error + 1e-9
        if is_sure and gain > best_gain and allowed(fitted):
            best, best_gain = fitted, gain
    return best


def fit_at_share(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], share: float
) -> WeightFit:
    """What the dense leg's `share` of the weighted sum comes to."""
    weights = _weights_of(share)
    return WeightFit(weights, np.array(ndcg(questions, rankings(questions, legs, weights))))


def rankings(
    questions: Sequence[GateQuestion], legs: Mapping[str, Legs], weights: Weights
) -> Rankings:
    """Of each question, by these weights."""
    return {one.question_id: legs[one.question_id].ranked(weights) for one in questions}


def _weights_of(dense: float) -> Weights:
    return Weights(bm25=round(1 - dense, 4), dense=round(dense, 4))
