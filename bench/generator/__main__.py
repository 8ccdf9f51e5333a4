"""Calibrates the support of sentences and the decision to answer, on ClapNQ and XQuAD.

Run from the repository: `python -m bench.generator` (GYRE_BENCH_DATA names the data). The odd lines
of ClapNQ choose a threshold, the even ones, which chose nothing, report it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gyre_common.text import sentences
from gyre_generator.backends.answerable import ANSWERS_AT
from gyre_generator.backends.reading import how_answerable
from gyre_generator.backends.support import SUPPORTED_AT, SupportIndex, needs_support

from bench.answers.data import Case, clapnq, foreign, pooled, xquad
from bench.report import auc, spread, table

STEPS = [step / 20 for step in range(4, 21)]


@dataclass(frozen=True)
class Claim:
    """A sentence that a person wrote, and the passages that should support it, or not."""

    text: str
    case: Case
    index: SupportIndex


def main() -> None:
    answerable, unanswerable = clapnq()
    corpus = [*answerable, *unanswerable]
    odd, even = slice(0, None, 2), slice(1, None, 2)
    print("## Support of a sentence: what people wrote, over 10 passages by BM25 out of 300\n")
    halves = [(answerable[half], corpus) for half in (odd, even)]
    support_table(*([claims(pooled(c, all_)), claims(foreign(c, all_), c)] for c, all_ in halves))
    print("\n## Answers or abstains, threshold chosen on the odd lines\n")
    english = xquad("en")[::8]
    everything = xquad("en")
    sets: dict[str, Pools] = {
        "ClapNQ, own passage; unanswerable of the same page": lambda half: (
            answerable[half],
            unanswerable[half],
        ),
        "ClapNQ, 10 passages; the same": lambda half: (
            pooled(answerable[half], corpus),
            pooled(unanswerable[half], corpus),
        ),
        "ClapNQ, 10 passages; its page taken out": lambda half: (
            pooled(answerable[half], corpus),
            foreign(answerable[half], corpus),
        ),
        "XQuAD en, 10 paragraphs; its article taken out": lambda half: (
            pooled(english[half], everything),
            foreign(english[half], everything),
        ),
    }
    abstention_table(sets, odd, even)
    print("\n## Time of an answer's support, 10 passages\n")
    speed(claims(pooled(answerable[even], corpus)))


def claims(cases: Sequence[Case], written: Sequence[Case] | None = None) -> list[Claim]:
    """Every sentence of the people's answers, over the passages of `cases`."""
    return [
        Claim(sentence.text, case, index)
        for case, source in zip(cases, written or cases, strict=True)
        for index in [SupportIndex(case.passages, case.question)]
        for answer in source.gold_answers[:1]
        for sentence in sentences(answer)
        if needs_support(sentence)
    ]


def support_table(odd: list[list[Claim]], even: list[list[Claim]]) -> None:
    """Supported where its page is among the passages, and where only look-alikes are."""
    rows = [(step, supported(odd, step), supported(even, step)) for step in STEPS]
    best = max(rows, key=lambda row: balance(row[1]))[0]
    columns = ("page there", "page out", "balanced")
    head = ("threshold", *(f"{half}: {name}" for half in ("odd", "even") for name in columns))
    body = [
        (f"{step:.2f}{' *' if step == best else ''}", *shown(one), *shown(other))
        for step, one, other in rows
    ]
    print(table(head, body))
    print(f"\nchosen on the odd lines: {best}; in use: {SUPPORTED_AT}")
    print(f"sentences: odd {[len(each) for each in odd]}, even {[len(each) for each in even]}")


def supported(groups: list[list[Claim]], at: float) -> list[float]:
    """The share of each group that is supported from that threshold on."""
    return [
        sum(claim.index.support(claim.text, at=at) is not None for claim in group) / len(group)
        for group in groups
    ]


def balance(shares: Sequence[float]) -> float:
    there, out = shares
    return (there + 1 - out) / 2


def shown(shares: Sequence[float]) -> Iterator[str]:
    return (f"{value:.3f}" for value in (*shares, balance(shares)))


Pools = Callable[[slice], tuple[Sequence[Case], Sequence[Case]]]


def abstention_table(sets: dict[str, Pools], odd: slice, even: slice) -> None:
    """Balanced accuracy at the threshold that suits the odd lines best, and at the one in use."""
    rows = []
    for name, pools in sets.items():
        chosen_on, reported_on = scores(pools(odd)), scores(pools(even))
        best = max(STEPS, key=lambda step: accuracy(chosen_on, step))
        back = max(STEPS, key=lambda step: accuracy(reported_on, step))
        cells = (
            accuracy(reported_on, best),
            accuracy(chosen_on, back),
            accuracy(reported_on, ANSWERS_AT),
            auc(*reported_on),
        )
        counts = f"{len(reported_on[0])} + {len(reported_on[1])}"
        rows.append((name, f"{best:.2f}", *(f"{cell:.3f}" for cell in cells), counts))
    at = f"even at {ANSWERS_AT}"
    head = ("questions", "chosen", "even at it", "odd, chosen on even", at, "AUC even", "n")
    print(table(head, rows))


def scores(pools: tuple[Sequence[Case], Sequence[Case]]) -> tuple[list[float], list[float]]:
    yes, no = ([how_answerable(c.question, c.passages) for c in cases] for cases in pools)
    return yes, no


def accuracy(scored: tuple[list[float], list[float]], at: float) -> float:
    yes, no = scored
    return (sum(s >= at for s in yes) / len(yes) + sum(s < at for s in no) / len(no)) / 2


def speed(all_claims: Sequence[Claim]) -> None:
    times = []
    for claim in all_claims:
        began = time.perf_counter()
        SupportIndex(claim.case.passages, claim.case.question).support(claim.text)
        times.append((time.perf_counter() - began) * 1000)
    print(f"- index and one sentence: {spread(times, digits=1)}")


if __name__ == "__main__":
    main()
