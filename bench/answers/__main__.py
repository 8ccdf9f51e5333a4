"""Quality and speed of the extractive reader on ClapNQ and XQuAD, beside its floors.

Run from the repository: `python -m bench.answers` (GYRE_BENCH_DATA names the
data). Everything is reported on the odd half of each set; weights and threshold saw the even one.
"""

import random
import statistics
import time
from collections.abc import Callable, Sequence

from gyre_common.text import content_terms, terms
from gyre_generator.backends.answerable import ANSWERS_AT
from gyre_generator.backends.extractive import select
from gyre_generator.backends.questions import analyse
from gyre_generator.backends.reading import CandidateSentence, candidate_sentences, confidence

from bench.answers.data import Case, clapnq, foreign, pooled, xquad
from bench.report import auc, spread

Pick = Callable[[Case, list[CandidateSentence]], list[CandidateSentence]]


def main() -> None:
    answerable, unanswerable = clapnq()
    corpus = [*answerable, *unanswerable]
    half = slice(1, None, 2)
    own, pool = answerable[half], pooled(answerable[half], corpus)
    print("## Sentences chosen, ClapNQ answerable, odd half (75 questions)\n")
    sentence_table("its own passage", own)
    sentence_table("10 passages by BM25 out of 300", pool)
    print("\n## Answers or abstains (threshold on confidence: answers from", f"{ANSWERS_AT})\n")
    english = xquad("en")
    abstention_row(
        "ClapNQ, own passage; unanswerable ones of the same page", own, unanswerable[half]
    )
    abstention_row("ClapNQ, 10 passages; the same", pool, pooled(unanswerable[half], corpus))
    abstention_row(
        "ClapNQ, 10 passages; its page taken out", pool, foreign(answerable[half], corpus)
    )
    some = english[1::8]
    abstention_row(
        "XQuAD en, 10 paragraphs; its article taken out",
        pooled(some, english),
        foreign(some, english),
    )
    print("\n## The answer string is in what was said, XQuAD, 10 paragraphs by BM25\n")
    for language in ("en", "de"):
        cases = xquad(language)
        string_row(language, pooled(cases[1::4], cases))
    print("\n## Time a question, 10 passages\n")
    speed(pool)


def read(case: Case) -> list[CandidateSentence]:
    return candidate_sentences(analyse(case.question), case.passages)


def ours(case: Case, scored: list[CandidateSentence]) -> list[CandidateSentence]:
    return select(analyse(case.question), scored)


def first(count: int) -> Pick:
    return lambda case, scored: [c for c in scored if c.passage is case.passages[0]][:count]


def first_passage(case: Case, scored: list[CandidateSentence]) -> list[CandidateSentence]:
    return [c for c in scored if c.passage is case.passages[0]]


def by_chance(case: Case, scored: list[CandidateSentence]) -> list[CandidateSentence]:
    return random.Random(case.question).sample(scored, min(3, len(scored)))


PICKS: dict[str, Pick] = {
    "reader": ours,
    "first sentence": first(1),
    "first three": first(3),
    "whole first passage": first_passage,
    "three at random": by_chance,
}


def sentence_table(name: str, cases: Sequence[Case]) -> None:
    print(f"| {name} | precision | recall | F1 | ROUGE-L F1 to the human answer | sentences |")
    print("|---|---|---|---|---|---|")
    read_cases = [(case, read(case)) for case in cases]
    for label, pick in PICKS.items():
        precision, recall, rouge, count = [], [], [], []
        for case, scored in read_cases:
            picks = pick(case, scored)
            good = sum(is_gold(case, c) for c in picks)
            precision.append(good / max(len(picks), 1))
            recall.append(good / max(sum(is_gold(case, c) for c in scored), 1))
            answer_text = " ".join(c.sentence.text for c in picks)
            rouge.append(max(rouge_l(answer_text, gold) for gold in case.gold_answers))
            count.append(len(picks))
        p, r = statistics.mean(precision), statistics.mean(recall)
        f1 = 2 * p * r / (p + r) if p + r else 0.0
        print(
            f"| {label} | {p:.3f} | {r:.3f} | {f1:.3f} | {statistics.mean(rouge):.3f} "
            f"| {statistics.mean(count):.1f} |"
        )
    print()


def is_gold(case: Case, candidate: CandidateSentence) -> bool:
    """Whether a sentence is one that a person used; cut points may differ a little."""
    if candidate.passage.text != case.gold_passage or not candidate.terms:
        return False
    for text in case.gold_sentences:
        gold = set(content_terms(text))
        overlap = len(gold & candidate.terms)
        if (
            gold
            and overlap >= min(3, len(gold))
            and overlap > 0.8 * min(len(gold), len(candidate.terms))
        ):
            return True
    return False


def rouge_l(answer_text: str, gold: str) -> float:
    """F1 of the longest common subsequence of stems (Lin 2004, section 3.1, beta = 1)."""
    a, b = terms(answer_text), terms(gold)
    row = [0] * (len(b) + 1)
    for x in a:
        diagonal = 0
        for j, y in enumerate(b, start=1):
            above = row[j]
            row[j] = diagonal + 1 if x == y else max(row[j], row[j - 1])
            diagonal = above
    return 2 * row[-1] / (len(a) + len(b)) if a and b else 0.0


def abstention_row(name: str, positive: Sequence[Case], negative: Sequence[Case]) -> None:
    yes, no = ([confidence(analyse(c.question), read(c)) for c in g] for g in (positive, negative))
    answer_share = sum(c >= ANSWERS_AT for c in yes) / len(yes)
    declined = sum(c < ANSWERS_AT for c in no) / len(no)
    print(
        f"- {name}: AUC {auc(yes, no):.3f}; answers {answer_share:.0%} of the answerable, declines "
        f"{declined:.0%} of the others; balanced accuracy {(answer_share + declined) / 2:.3f} "
        f"(always answering: 0.500); {len(yes)} + {len(no)} questions"
    )


def string_row(language: str, cases: Sequence[Case]) -> None:
    parts = []
    for label, pick in PICKS.items():
        hits, length = 0, []
        for case in cases:
            answer_text = " ".join(c.sentence.text for c in pick(case, read(case)))
            hits += any(gold in answer_text for gold in case.gold_answers)
            length.append(len(answer_text))
        parts.append(f"{label} {hits / len(cases):.3f} ({statistics.mean(length):.0f} characters)")
    print(f"- {language}, {len(cases)} questions: " + "; ".join(parts))


def speed(cases: Sequence[Case]) -> None:
    times = []
    for _ in range(3):
        for case in cases:
            began = time.perf_counter()
            scored = read(case)
            confidence(analyse(case.question), scored)
            ours(case, scored)
            times.append((time.perf_counter() - began) * 1000)
    words = statistics.mean(sum(len(p.text.split()) for p in c.passages) for c in cases)
    print(f"- {spread(times, digits=1)}, {words:.0f} words a question")


if __name__ == "__main__":
    main()
