"""How far the baseline judge agrees with people, beside its floors.

Run from the repository: `python -m bench.judge`.
"""

import json
import math
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gyre_common.text import content_terms
from gyre_common.turns import finished
from gyre_judge.metrics import WeightedPassages, groundedness, substance
from gyre_judge.service import TIE

from bench import beir
from bench.report import auc, data_folder

Pair = Mapping[str, Any]
"""A question, two answers and which of them people preferred: 0, 1, or 2 for a tie."""


@dataclass(frozen=True)
class Grounded:
    """A human answer and the passage that it was written from."""

    title: str
    passage: str
    answer: str

    def score(self, answer: str | None = None) -> float:
        answer_text = self.answer if answer is None else answer
        return groundedness_of(answer_text, passages_of([self.passage], [self.title]))


def passages_of(texts: Sequence[str], headings: Sequence[str] = ()) -> WeightedPassages:
    return finished(WeightedPassages.read(texts, headings))


def groundedness_of(answer: str, passages: WeightedPassages) -> float:
    return finished(groundedness(answer, passages)).value or 0.0


def main() -> None:
    cases = clapnq()
    print("## Groundedness, ClapNQ human answers against their passage\n")
    groundedness_of_answers(cases)
    print("\n## Groundedness, SciFact claims: abstracts that support or contradict them\n")
    groundedness_of_claims()
    print("\n## Compare, Auto-J pairs (people's choice), no passages\n")
    comparisons()
    print("\n## Time\n")
    began = time.perf_counter()
    for case in cases:
        case.score()
    print(f"- groundedness: {(time.perf_counter() - began) / len(cases) * 1000:.1f} ms an answer")


def clapnq() -> list[Grounded]:
    rows = (data_folder("clapnq") / "dev_answerable_first150.jsonl").read_text().splitlines()
    parsed = [json.loads(row) for row in rows]
    return [
        Grounded(r["passages"][0]["title"], r["passages"][0]["text"], r["output"][0]["answer"])
        for r in parsed
    ]


def groundedness_of_answers(cases: Sequence[Grounded]) -> None:
    true = [case.score() for case in cases]
    print(f"- mean of the human answers: {statistics.mean(true):.3f}")
    elsewhere = [c.score(cases[(i + 37) % len(cases)].answer) for i, c in enumerate(cases)]
    report("answers to another question", true, elsewhere)
    near = [nearest(case, cases) for case in cases]
    report("answers to the question with the nearest passage", true, near)
    numbered = [c for c in cases if re.search(r"\d", c.answer)]
    report(
        "their numbers changed",
        [c.score() for c in numbered],
        [c.score(re.sub(r"\d+", lambda n: str(int(n.group()) + 7), c.answer)) for c in numbered],
    )
    verb = re.compile(r"\b(is|was|are|were|can|has|had)\b")
    stated = [c for c in cases if verb.search(c.answer)]
    report(
        "one verb negated",
        [c.score() for c in stated],
        [c.score(verb.sub(r"\1 not", c.answer, count=1)) for c in stated],
    )
    report(
        "a sentence of another answer added",
        true,
        [
            c.score(f"{c.answer} {cases[(i + 11) % len(cases)].answer.split(' . ')[0]}")
            for i, c in enumerate(cases)
        ],
    )


def nearest(case: Grounded, cases: Sequence[Grounded]) -> float:
    mine = set(content_terms(case.passage))
    others = [c for c in cases if c.title != case.title]
    other = max(others, key=lambda c: len(mine & set(content_terms(c.passage))))
    return case.score(other.answer)


def groundedness_of_claims() -> None:
    folder = data_folder("scifact")
    corpus = {row["_id"]: row for row in beir.documents(folder)}
    by_label: dict[str, list[float]] = {"SUPPORT": [], "CONTRADICT": []}
    for line in (folder / "evidence.jsonl").read_text().splitlines():
        row = json.loads(line)
        source = corpus[str(row["doc_id"])]
        passages = passages_of([source["text"]], [source["title"]])
        by_label[row["label"]].append(groundedness_of(row["claim"], passages))
    report("contradicted claims", by_label["SUPPORT"], by_label["CONTRADICT"])


def report(name: str, good: Sequence[float], bad: Sequence[float]) -> None:
    print(
        f"- against {name}: AUC {auc(good, bad):.3f} (mean {statistics.mean(good):.3f} "
        f"and {statistics.mean(bad):.3f}; {len(good)} and {len(bad)})"
    )


def comparisons() -> None:
    rows = (data_folder("preferences") / "autoj_pairwise_first700.jsonl").read_text().splitlines()
    parsed = [json.loads(row) for row in rows]
    nothing = passages_of([])

    def substance_of(text: str) -> float:
        return finished(substance(text, nothing)).value or 0.0

    def log_length(text: str) -> float:
        return math.log1p(len(text))

    for name, half in (("tuning half", parsed[::2]), ("reported half", parsed[1::2])):
        labels = Counter(row["label"] for row in half)
        decided = [row for row in half if row["label"] < 2]
        print(f"- {name}: {len(half)} pairs, {labels[2]} ties")
        print(f"  - majority class: {max(labels.values()) / len(half):.3f} of three classes")
        for label, measure, tie in (
            (f"Compare (tie within {TIE})", substance_of, TIE),
            ("the longer answer (tie within 10 %)", log_length, math.log(1.1)),
        ):
            three = agreement(half, measure, tie)
            two = agreement(decided, measure, 0.0)
            print(f"  - {label}: {three:.3f} of three classes; {two:.3f} where people chose")
        relevant = agreement(decided, None, 0.0)
        print(f"  - relevance by words alone: {relevant:.3f} where people chose")


def agreement(rows: Sequence[Pair], measure: Callable[[str], float] | None, tie: float) -> float:
    return statistics.mean(float(choice(row, measure, tie) == row["label"]) for row in rows)


def choice(row: Pair, measure: Callable[[str], float] | None, tie: float) -> int:
    if measure is None:
        prompt_terms = set(content_terms(row["prompt"]))
        first, second = (
            len(prompt_terms & set(content_terms(row[f"response {n}"]))) / max(len(prompt_terms), 1)
            for n in (1, 2)
        )
    else:
        first, second = measure(row["response 1"]), measure(row["response 2"])
    if first == second or abs(first - second) < tie:
        return 2
    return 0 if first > second else 1


if __name__ == "__main__":
    main()
