"""Fits the reader's weights on the even halves; the reader has them rounded (see README.md)."""

import math
from collections.abc import Sequence

import numpy as np
from gyre_generator.backends.questions import analyse
from gyre_generator.backends.reading import WEIGHTS, CandidateSentence, candidate_sentences
from numpy.typing import NDArray

from bench.answers.__main__ import is_gold
from bench.answers.data import Case, clapnq, foreign, pooled, xquad

Rows = NDArray[np.float64]


def main() -> None:
    answerable, unanswerable = clapnq()
    corpus = [*answerable, *unanswerable]
    english = xquad("en")
    tune, some = answerable[::2], english[::6]
    pools: list[Sequence[Case]] = [tune, pooled(tune, corpus), some, pooled(some, english)]
    show("sentence fits", [*WEIGHTS, "bias"], *sentence_rows(pools))
    answers = [tune, pools[1], pools[3]]
    none = [
        unanswerable[::2],
        pooled(unanswerable[::2], corpus),
        foreign(tune, corpus),
        foreign(some, english),
    ]
    names = ["coverage", "in sentence", "in passage", "sign", "defines", "bias"]
    show("passages answer", names, *answer_rows(answers, none))


def sentence_rows(sets: Sequence[Sequence[Case]]) -> tuple[Rows, Rows, Rows]:
    """Features, whether a person chose the sentence (or it holds the answer), and a weight."""
    xs, ys, ws = [], [], []
    for cases in sets:
        rows = [
            (list(c.features.values()), is_gold_candidate(case, c))
            for case in cases
            for c in candidate_sentences(analyse(case.question), case.passages)
        ]
        share = sum(y for _, y in rows) / len(rows)
        for x, y in rows:
            xs.append(x)
            ys.append(float(y))
            ws.append((0.5 / share if y else 0.5 / (1 - share)) / len(rows) * 2000)
    return np.array(xs), np.array(ys), np.array(ws)


def is_gold_candidate(case: Case, candidate: CandidateSentence) -> bool:
    if case.gold_sentences:
        return is_gold(case, candidate)
    same = candidate.passage.text == case.gold_passage
    return same and any(a in candidate.sentence.text for a in case.gold_answers)


def answer_rows(
    answers: Sequence[Sequence[Case]], none: Sequence[Sequence[Case]]
) -> tuple[Rows, Rows, Rows]:
    xs, ys, ws = [], [], []
    for label, sets in ((1.0, answers), (0.0, none)):
        for cases in sets:
            for case in cases:
                question = analyse(case.question)
                scored = candidate_sentences(question, case.passages)
                if not scored or not question.terms:
                    continue
                best = max(scored, key=lambda c: c.score)
                question_terms = frozenset(question.terms)
                xs.append(
                    [
                        best.features["coverage"],
                        len(question_terms & best.terms) / len(question_terms),
                        len(question_terms & best.passage_terms) / len(question_terms),
                        best.features["sign"],
                        best.features["defines"],
                    ]
                )
                ys.append(label)
                ws.append(100 / len(cases))
    return np.array(xs), np.array(ys), np.array(ws)


def show(title: str, names: Sequence[str], x: Rows, y: Rows, w: Rows) -> None:
    coefficients = logistic_regression(x, y, w)
    print(
        title + ": " + ", ".join(f"{n} {b:.2f}" for n, b in zip(names, coefficients, strict=True))
    )
    assert all(map(math.isfinite, coefficients))


def logistic_regression(x: Rows, y: Rows, w: Rows, *, ridge: float = 1.0) -> Rows:
    """Newton's method on the weighted log-likelihood; the bias is not shrunk."""
    x1 = np.column_stack([x, np.ones(len(x))])
    penalty = np.eye(x1.shape[1]) * ridge
    penalty[-1, -1] = 0
    beta = np.zeros(x1.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x1 @ beta))
        gradient = x1.T @ (w * (p - y)) + penalty @ beta
        beta -= np.linalg.solve((x1 * (w * p * (1 - p))[:, None]).T @ x1 + penalty, gradient)
    return beta


if __name__ == "__main__":
    main()
