"""How questions are laid out for a language model."""

import json
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from uuid import UUID

from gyre_client import AsyncClient
from gyre_client.submission import Draft, Progress
from gyre_common.text import content_terms
from gyre_generator.passages import RetrievedPassage
from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS

from bench import beir
from bench.answers.bm25 import BM25
from bench.answers.data import Case, clapnq, passage, pooled
from bench.report import data_folder

LOOK_ALIKES = 2


def beside_look_alikes(own: Case, pooled_case: Case) -> Case:
    """The question's own passage among the best of the others, at a place that it decides."""
    others = [one for one in pooled_case.passages if one.text != own.gold_passage][:LOOK_ALIKES]
    place = len(own.question) % (LOOK_ALIKES + 1)
    passages = (*others[:place], own.passages[0], *others[place:])
    return Case(own.question, passages, own.gold_passage, own.gold_sentences, own.gold_answers)


def halves(arm: str, fold: str, *, questions: int) -> tuple[list[Case], list[Case]]:
    """ClapNQ's odd lines and its even ones, the latter first where `fold` is even; of so many
    answerable questions, and then of as many unanswerable ones, as `bench.generator.training` says
    of the `arm`; those of the arm `retrieved` have their own passage alone, see `retrieved`.
    """
    corpus = [case for cases in clapnq() for case in cases]
    kinds = []
    for cases in clapnq():
        if arm == "retrieved":
            kinds.append(cases[:questions])
            continue
        pooled_cases = pooled(cases[:questions], corpus)
        if arm == "gold":
            pooled_cases = [
                beside_look_alikes(*pair) for pair in zip(cases, pooled_cases, strict=False)
            ]
        kinds.append(pooled_cases)
    odd, even = ([c for cases in kinds for c in cases[start::2]] for start in (0, 1))
    return (even, odd) if fold == "even" else (odd, even)


async def retrieved(gyre: AsyncClient, cases: Sequence[Case], *, size: int = 10) -> list[Case]:
    """The same questions with the passages that `Retrieve` returns, where all 300 of ClapNQ
    are documents of the client's tenant, cut as the ingestor does.
    """
    corpus = {case.passages[0].chunk_id: case.passages[0] for both in clapnq() for case in both}
    texts = {f"{key}.md": f"# {each.title}\n\n{each.text}\n" for key, each in corpus.items()}
    drafts = [Draft(name, partial(BytesIO, text.encode())) for name, text in texts.items()]
    progress = Progress()
    await gyre.documents.submit_all(drafts, progress)
    assert not progress.rejected, progress.rejected
    with_passages = []
    for case in cases:
        reply = await gyre.search.retrieve(case.question, limit=size)
        passages = tuple(
            RetrievedPassage(
                chunk_id=UUID(one.chunk_id),
                document_id=one.document_id,
                text=one.text,
                rank=rank,
                score=one.score,
                title=one.title,
                heading_path=tuple(one.heading_path),
                revision=one.revision,
                ordinal=one.ordinal,
            )
            for rank, one in enumerate(reply.chunks, start=1)
        )
        own = (case.gold_passage, case.gold_sentences, case.gold_answers)
        with_passages.append(Case(case.question, passages, *own))
    return with_passages


def glossary(*, size: int = 10) -> list[Case]:
    """Questions for terms of Kubernetes, against the passages of its documentation that BM25 finds;
    people wrote the answers for the glossary, not from these passages.
    """
    folder, recipe, texts = data_folder("glossary"), ChunkRecipe(), {}
    for page in beir.documents(folder):
        parsed = FORMATS["text/plain"].parse(page["text"].encode(), None)
        for one in chunk(parsed, "bench", page["_id"], page["title"], recipe):
            texts[one.text] = page["title"]
    titled_texts = list(texts.items())
    index = BM25([content_terms(f"{title} {text}") for text, title in titled_texts])
    cases = []
    for line in (folder / "glossary_answers.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        best = index.best(content_terms(row["question"]), size)
        passages = tuple(
            passage(titled_texts[at][1], titled_texts[at][0], rank, score)
            for rank, (at, score) in enumerate(best, start=1)
        )
        cases.append(Case(row["question"], passages, "", (), (row["answer"],)))
    return cases
