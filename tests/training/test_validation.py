"""Which share of the tuned weights is chosen, and by what measure."""

from collections.abc import Mapping

import ir_measures
import numpy as np
import pytest
from gyre_trainer.recipes.query_encoder.examples import TrainingQuestion
from gyre_trainer.recipes.query_encoder.inputs import (
    CorpusPassage,
    EncodedCorpus,
)
from gyre_trainer.recipes.query_encoder.ranking import LegHit, LiveHits, refit
from gyre_trainer.recipes.query_encoder.report import Weights
from gyre_trainer.recipes.query_encoder.validation import Quality, Validation, chosen_share

from tests.unit.trainer import gate_builders

VECTORS = np.random.default_rng(4).normal(size=(30, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
CORPUS = EncodedCorpus([CorpusPassage(chunk_id=f"c{n}", text=".") for n in range(30)], VECTORS)


def a_question(
    labels: Mapping[str, float], *, held_out: bool = False, cluster: str = ""
) -> TrainingQuestion:
    return TrainingQuestion(text="?", ids=("q",), labels=labels, held_out=held_out, cluster=cluster)


def live_hits(**bm25: float) -> Mapping[str, LiveHits]:
    legs = tuple(LegHit(chunk, score, None) for chunk, score in bm25.items())
    return {"q": LiveHits(question_id="q", legs=legs)}


def test_dense_alone_is_the_condensed_ndcg_of_a_reference_library() -> None:
    labels = {f"c{n}": float(n % 3 == 0) for n in range(12)}
    vector = np.ones((1, 8), np.float32) / np.sqrt(8)
    validation = Validation(
        [a_question(labels)], CORPUS, live_hits(c1=1.0), dense_weight=0.5, depth=100
    )
    (quality,) = validation.qualities({0.0: vector})
    scores = (vector @ VECTORS.T)[0]
    run = [ir_measures.ScoredDoc("q", f"c{n}", float(scores[n])) for n in range(30)]
    judged = [ir_measures.Qrel("q", chunk, int(label)) for chunk, label in labels.items()]
    measure = ir_measures.parse_measure("nDCG(judged_only=True)@10")
    reference = ir_measures.calc_aggregate([measure], judged, run)[measure]
    assert quality.dense_alone == pytest.approx(reference)


@pytest.mark.parametrize("start", [0.2, 0.5, 0.8])
def test_candidates_are_chosen_by_the_measure_and_weights_that_the_gate_judges_by(
    start: float,
) -> None:
    chance = np.random.default_rng(11)
    names = [f"c{number}" for number in range(300)]
    vectors = chance.normal(size=(300, 8)).astype(np.float32)
    corpus = EncodedCorpus([CorpusPassage(chunk_id=name, text=".") for name in names], vectors)
    questions, judged, live, legs = [], [], {}, {}
    texts = chance.normal(size=(40, 8)).astype(np.float32)
    for one, similarity in zip((f"q{n}" for n in range(40)), texts @ vectors.T, strict=True):
        passages = chance.choice(names, 24, replace=False).tolist()
        labels = dict(zip(passages, [1.0, *chance.choice([-1, 0.5, 1], 23)], strict=True))
        lexical = dict(zip(chance.choice(names, 90, replace=False), chance.random(90), strict=True))
        dense = {names[place]: float(similarity[place]) for place in similarity.argsort()[-100:]}
        hits = [(c, lexical.get(c), dense.get(c)) for c in sorted({*lexical, *dense})]
        questions.append(TrainingQuestion(text="?", ids=(one,), labels=labels, cluster=one))
        grades = {chunk: max(0, round(2 * label)) for chunk, label in labels.items()}
        judged.append(gate_builders.a_question(one, grades))
        live[one] = LiveHits(question_id=one, legs=tuple(LegHit(*hit) for hit in hits))
        legs[one] = gate_builders.some_legs(*hits)

    (quality,) = Validation(questions, corpus, live, dense_weight=start, depth=100).qualities(
        {0.0: texts}
    )
    before = {name: each.order for name, each in legs.items()}
    weights, value = refit(judged, legs, Weights(1 - start, start), before)
    assert quality.dense_weight == weights.dense
    assert quality.overall == pytest.approx(value)


def test_the_weight_goes_to_the_leg_that_knows() -> None:
    labels = {"c3": 1.0, "c4": -1.0, "c5": -1.0}
    away = -VECTORS[3:4]
    lexical = Validation(
        [a_question(labels)], CORPUS, live_hits(c3=9.0, c9=1.0), dense_weight=0.2, depth=100
    ).qualities({0.0: away})[0]
    assert (lexical.overall, lexical.dense_weight) == (1.0, 0.2)
    dense = Validation(
        [a_question(labels)], CORPUS, live_hits(c4=9.0, c9=1.0), dense_weight=0.9, depth=100
    )
    assert dense.qualities({0.0: VECTORS[3:4]})[0].overall == 1.0


def test_slices_are_told_apart_and_an_empty_one_is_none() -> None:
    questions = [a_question({"c1": 1.0}, held_out=True)]
    with_hits = Validation(questions, CORPUS, live_hits(c1=1.0), dense_weight=0.5, depth=100)
    base, half = with_hits.qualities({0.5: VECTORS[1:2], 0.0: VECTORS[1:2]})
    assert (half.new, half.voted, half.share, base.share) == (1.0, None, 0.5, 0.0)


def test_a_question_that_live_was_not_asked_or_whose_passage_is_gone_is_left_out() -> None:
    there = [
        a_question({"gone": 1.0}),
        TrainingQuestion(text="?", ids=("other",), labels={"c1": 1.0}),
    ]
    assert Validation(there, CORPUS, live_hits(c1=1.0), dense_weight=0.5, depth=100).counts == {
        "overall": 0,
        "voted": 0,
        "new": 0,
    }


def at(
    share: float, overall: float, new: float | None, error: float = 0.0, behind: float = 9.0
) -> Quality:
    return Quality(
        share=share,
        dense_weight=0.5,
        overall=overall,
        voted=overall,
        new=new,
        new_error=error,
        behind=behind,
        dense_alone=overall,
    )


def test_the_best_share_that_keeps_the_new_slice_is_chosen() -> None:
    shares = [at(0, 0.70, 0.60), at(0.5, 0.74, 0.60), at(1, 0.80, 0.55)]
    assert chosen_share(shares) == 0.5


def test_a_fall_that_chance_explains_is_none() -> None:
    assert chosen_share([at(0, 0.70, 0.60), at(1, 0.80, 0.55, error=0.031)]) == 1
    assert chosen_share([at(0, 0.70, 0.60), at(1, 0.80, 0.55, error=0.030)]) == 0


def test_the_base_is_chosen_when_nothing_else_holds_or_all_is_surely_worse() -> None:
    assert chosen_share([at(0, 0.70, 0.60), at(0.5, 0.69, 0.60, behind=0.9)]) == 0.5
    assert chosen_share([at(0, 0.70, 0.60), at(0.5, 0.69, 0.60, behind=1.1)]) == 0
    assert chosen_share([at(0, 0.70, 0.60), at(0.5, 0.74, 0.50)]) == 0


def test_of_those_that_are_as_good_as_the_best_the_largest_share_wins() -> None:
    best, near = at(0.5, 0.74, None, behind=0), at(0.75, 0.73, None, behind=1.0)
    assert chosen_share([at(0, 0.70, None), best, near, at(1, 0.72, None, behind=1.1)]) == 0.75


def test_how_far_a_share_is_behind_is_told_in_standard_errors() -> None:
    judged = {"c3": 1.0, "c4": -1.0}
    rows = {0.0: VECTORS[[4, 4, 4]], 0.5: VECTORS[[3, 3, 3]], 1.0: VECTORS[[3, 3, 4]]}
    questions = [a_question(judged, cluster=name) for name in "abc"]
    several = Validation(questions, CORPUS, live_hits(), dense_weight=0.5, depth=100)
    base, half, tuned = several.qualities(rows)
    assert (half.behind, half.error) == (0.0, 0.0)
    # One of three questions differs: the mean of the differences is one standard error of it.
    assert tuned.behind == pytest.approx(1.0, abs=1e-5)
    assert base.behind > 1e6


def test_near_identical_questions_tell_of_chance_as_one() -> None:
    judged = {"c3": 1.0, "c4": -1.0}
    rows = {0.0: VECTORS[[3, 3, 3]], 1.0: VECTORS[[3, 4, 4]]}
    errors = []
    for names in ("abc", "abb"):
        questions = [a_question(judged, cluster=name) for name in names]
        several = Validation(questions, CORPUS, live_hits(), dense_weight=0.5, depth=100)
        errors.append(several.qualities(rows)[1].error)
    assert errors[1] > 1.3 * errors[0]


def test_what_the_asker_cannot_find_takes_no_place() -> None:
    hers = CorpusPassage(chunk_id="hers", tenant="acme", text=".")
    others = [CorpusPassage(chunk_id=f"x{n}", tenant="other", text=".") for n in range(20)]
    vectors = np.tile(np.array([[1.0, 0.0]], np.float32), (21, 1))
    vectors[0] = (0.6, 0.8)
    question = TrainingQuestion(
        text="?", ids=("q",), labels={"hers": 1.0}, tenant="acme", cluster="a"
    )
    alone = Validation(
        [question], EncodedCorpus([hers, *others], vectors), live_hits(), dense_weight=1.0, depth=5
    )
    assert alone.qualities({0.0: np.array([[1.0, 0.0]], np.float32)})[0].overall == 1.0


def test_without_a_question_to_judge_by_it_goes_half_way() -> None:
    nothing = Validation([], CORPUS, {}, dense_weight=0.5, depth=100)
    rows = {share: np.zeros((0, 8), np.float32) for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    assert chosen_share(nothing.qualities(rows)) == 0.5
    only = {share: rows[share] for share in (0.0, 1.0)}
    assert chosen_share(nothing.qualities(only)) == 1.0


def test_the_error_is_that_of_paired_differences() -> None:
    judged = {"c3": 1.0, "c4": -1.0}
    several = [a_question(judged, held_out=True, cluster=name) for name in "ab"]
    rows = {0.0: VECTORS[[3, 3]], 1.0: VECTORS[[3, 4]]}
    base, tuned = Validation(several, CORPUS, live_hits(), dense_weight=0.5, depth=100).qualities(
        rows
    )
    assert (base.new, base.new_error) == (1.0, 0.0)
    # One question stays at 1 and one falls to 1 / log2(3): half the difference is the error.
    lost = 1 - 1 / np.log2(3)
    assert tuned.new == pytest.approx(1 - lost / 2)
    assert tuned.new_error == pytest.approx(lost / 2)
