"""Which share of the tuned weights is chosen, and by what measure."""

from collections.abc import Mapping

import ir_measures
import numpy as np
import pytest
from gyre_trainer.recipes.query_encoder.questions import Question
from gyre_trainer.recipes.query_encoder.run_data import Corpus, Found, Hit, Passage
from gyre_trainer.recipes.query_encoder.validation import Quality, Validation, chosen_share

VECTORS = np.random.default_rng(4).normal(size=(30, 8)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
CORPUS = Corpus([Passage(chunk_id=f"c{n}", text=".") for n in range(30)], VECTORS)


def a_question(labels: Mapping[str, float], *, held_out: bool = False) -> Question:
    return Question(text="?", ids=("q",), labels=labels, held_out=held_out)


def found(**bm25: float) -> Mapping[str, Found]:
    legs = tuple(Hit(chunk, score, None, 0.0) for chunk, score in bm25.items())
    return {"q": Found(question_id="q", legs=legs)}


def test_dense_alone_is_the_condensed_ndcg_of_a_reference_library() -> None:
    labels = {f"c{n}": float(n % 3 == 0) for n in range(12)}
    vector = np.ones((1, 8), np.float32) / np.sqrt(8)
    validation = Validation([a_question(labels)], CORPUS, found(c1=1.0), dense_weight=0.5)
    (quality,) = validation.qualities({0.0: vector})
    scores = (vector @ VECTORS.T)[0]
    run = [ir_measures.ScoredDoc("q", f"c{n}", float(scores[n])) for n in range(30)]
    judged = [ir_measures.Qrel("q", chunk, int(label)) for chunk, label in labels.items()]
    measure = ir_measures.parse_measure("nDCG(judged_only=True)@10")
    reference = ir_measures.calc_aggregate([measure], judged, run)[measure]
    assert quality.dense_alone == pytest.approx(reference)


def test_the_weight_goes_to_the_leg_that_knows() -> None:
    labels = {"c3": 1.0, "c4": -1.0, "c5": -1.0}
    away = -VECTORS[3:4]
    lexical = Validation(
        [a_question(labels)], CORPUS, found(c3=9.0, c9=1.0), dense_weight=0.2
    ).qualities({0.0: away})[0]
    assert (lexical.overall, lexical.dense_weight) == (1.0, 0.2)
    dense = Validation([a_question(labels)], CORPUS, found(c4=9.0, c9=1.0), dense_weight=0.9)
    assert dense.qualities({0.0: VECTORS[3:4]})[0].overall == 1.0


def test_slices_are_told_apart_and_an_empty_one_is_none() -> None:
    questions = [a_question({"c1": 1.0}, held_out=True)]
    found_all = Validation(questions, CORPUS, found(c1=1.0), dense_weight=0.5)
    base, half = found_all.qualities({0.5: VECTORS[1:2], 0.0: VECTORS[1:2]})
    assert (half.new, half.voted, half.share, base.share) == (1.0, None, 0.5, 0.0)


def test_a_question_that_live_was_not_asked_or_whose_passage_is_gone_is_left_out() -> None:
    there = [a_question({"gone": 1.0}), Question(text="?", ids=("other",), labels={"c1": 1.0})]
    assert Validation(there, CORPUS, found(c1=1.0), dense_weight=0.5).counts == {
        "overall": 0,
        "voted": 0,
        "new": 0,
    }


def at(share: float, overall: float, new: float | None, error: float = 0.0) -> Quality:
    return Quality(
        share=share,
        dense_weight=0.5,
        overall=overall,
        voted=None,
        new=new,
        new_error=error,
        dense_alone=overall,
    )


def test_the_best_share_that_keeps_the_new_slice_is_chosen() -> None:
    shares = [at(0, 0.70, 0.60), at(0.5, 0.74, 0.60), at(1, 0.80, 0.55)]
    assert chosen_share(shares) == 0.5


def test_a_fall_within_one_standard_error_is_none() -> None:
    assert chosen_share([at(0, 0.70, 0.60), at(1, 0.80, 0.55, error=0.06)]) == 1
    assert chosen_share([at(0, 0.70, 0.60), at(1, 0.80, 0.55, error=0.04)]) == 0


def test_the_base_is_chosen_only_when_nothing_else_holds() -> None:
    assert chosen_share([at(0, 0.70, 0.60), at(0.5, 0.69, 0.60)]) == 0.5
    assert chosen_share([at(0, 0.70, 0.60), at(0.5, 0.74, 0.50)]) == 0


def test_of_equals_the_larger_share_wins() -> None:
    assert chosen_share([at(0, 0.70, None), at(0.5, 0.74, None), at(1, 0.74, None)]) == 1


def test_the_error_is_that_of_paired_differences() -> None:
    judged = {"c3": 1.0, "c4": -1.0}
    several = [a_question(judged, held_out=True), a_question(judged, held_out=True)]
    rows = {0.0: VECTORS[[3, 3]], 1.0: VECTORS[[3, 4]]}
    base, tuned = Validation(several, CORPUS, found(), dense_weight=0.5).qualities(rows)
    assert (base.new, base.new_error) == (1.0, 0.0)
    # One question stays at 1 and one falls to 1 / log2(3): half the difference is the error.
    lost = 1 - 1 / np.log2(3)
    assert tuned.new == pytest.approx(1 - lost / 2)
    assert tuned.new_error == pytest.approx(lost / 2)
