"""Reads ClapNQ and XQuAD, and lays out the pools that the reader is measured on."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from gyre_common.text import content_terms
from gyre_generator.passages import RetrievedPassage

from bench.report import data_folder


@dataclass(frozen=True)
class Case:
    """A question, the passages it is read against, and what people chose (empty: no answer)."""

    question: str
    passages: tuple[RetrievedPassage, ...]
    gold_passage: str
    gold_sentences: tuple[str, ...]
    gold_answers: tuple[str, ...]


_AFTER_NO_SPACE = r"[.,;:!?%)\]]|'s\b|n't\b|'re\b|'ve\b|'ll\b|'d\b|'(?=\s)"


def untokenised(text: str) -> str:
    """ClapNQ's passages are tokenised (`word , word`); undo that, as no document looks so."""
    text = re.sub(rf"(?<!\s)\s+({_AFTER_NO_SPACE})", r"\1", text)
    text = re.sub(r"([(\[$])\s+", r"\1", text)
    text = re.sub(r"``\s*|(?<!\s)\s*''", '"', text)
    return re.sub(r"\s+", " ", re.sub(r"(\w)\s+-\s+(\w)", r"\1-\2", text)).strip()


def clapnq() -> tuple[list[Case], list[Case]]:
    """Answerable and unanswerable cases, each with its own passage only."""
    answerable = _clapnq_file("dev_answerable_first150.jsonl")
    unanswerable = _clapnq_file("dev_unanswerable_first150.jsonl")
    return answerable, unanswerable


def _clapnq_file(name: str) -> list[Case]:
    cases = []
    for line in (data_folder("clapnq") / name).read_text().splitlines():
        row = json.loads(line)
        source = row["passages"][0]
        text = " ".join(untokenised(s) for s in source["sentences"])
        outputs = [o for o in row["output"] if o["answer"]]
        cases.append(
            Case(
                question=row["input"],
                passages=(passage(source["title"], text, 1),),
                gold_passage=text,
                gold_sentences=tuple(
                    dict.fromkeys(untokenised(s) for o in outputs for s in o["selected_sentences"])
                ),
                gold_answers=tuple(untokenised(o["answer"]) for o in outputs),
            )
        )
    return cases


def xquad(language: str) -> list[Case]:
    """One case a question, with its own paragraph only."""
    rows = json.loads((data_folder("xquad") / f"xquad.{language}.json").read_text())["data"]
    return [
        Case(
            question=qa["question"],
            passages=(passage(article.get("title", ""), paragraph["context"], 1),),
            gold_passage=paragraph["context"],
            gold_sentences=(),
            gold_answers=tuple(a["text"] for a in qa["answers"]),
        )
        for article in rows
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]


def passage(title: str, text: str, rank: int, score: float = 0.0) -> RetrievedPassage:
    return RetrievedPassage(
        chunk_id=uuid5(NAMESPACE_URL, text),
        document_id=title or "untitled",
        text=text,
        rank=rank,
        score=score,
        title=title,
    )


def pooled(cases: Sequence[Case], corpus: Sequence[Case], *, size: int = 10) -> list[Case]:
    """The same questions read against the `size` passages that BM25 finds in the whole corpus."""
    from bench.answers.bm25 import BM25  # beside this file

    texts = {c.gold_passage: c.passages[0].title for c in corpus}
    index = BM25([content_terms(f"{title} {text}") for text, title in texts.items()])
    titles_and_texts = list(texts.items())
    out = []
    for case in cases:
        best = index.best(content_terms(case.question), size)
        own_passages = tuple(
            passage(titles_and_texts[i][1], titles_and_texts[i][0], rank, score)
            for rank, (i, score) in enumerate(best, start=1)
        )
        out.append(
            Case(
                case.question,
                own_passages,
                case.gold_passage,
                case.gold_sentences,
                case.gold_answers,
            )
        )
    return out


def foreign(cases: Sequence[Case], corpus: Sequence[Case], *, size: int = 10) -> list[Case]:
    """The same questions with their own passage taken out of the corpus: nothing can answer."""
    out = []
    for case, pool in zip(cases, pooled(cases, corpus, size=size + 1), strict=True):
        others = [p for p in pool.passages if p.title != case.passages[0].title][:size]
        ranked = tuple(
            passage(p.title, p.text, rank, p.score) for rank, p in enumerate(others, start=1)
        )
        out.append(Case(case.question, ranked, "", (), ()))
    return out
