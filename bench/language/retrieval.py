"""What analyzers by language are worth: XQuAD's questions in German and English, alone and mixed.

    python -m bench.language.retrieval [--pages 1363] [--questions 1190] [--english | --vectors]

Passages are cut, and their language told, as the ingestor does; they are written and searched by
the code of the embedder and the retriever, in an Elasticsearch of its own. Arms:

- english: the analyzer that reads all documents; no document says its language (the floor)
- by language: as it is
- german alone: the peer, plain Elasticsearch with the analyzer `german` on one field, where all
  else than German is left out

The corpora: German alone; both languages and `--pages` pages of the Kubernetes documentation; the
same with every tenth German paragraph; with every tenth English one and no pages. With
`--english` they are SciFact and the glossary instead, where both arms must agree to the last digit.
Of more than `--questions` questions that many are taken evenly. With `--vectors`
passages and questions of XQuAD and the pages are encoded (MiniLM, some 10 CPU-minutes for all
pages) and `hybrid-1` fuses both legs; without, words alone are searched.
"""

import argparse
import asyncio
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import IndexedChunk
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.releases import Roles
from gyre_common.fusion import BM25
from gyre_common.model_folders import shipped_model
from gyre_common.passages import encoder_input
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS, built_in_artifacts
from gyre_common.retrieval_settings import RetrievalSettings
from gyre_embedder.chunk_index import EncodedChunk
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Side, Vector
from gyre_embedder.onnx_encoder import OnnxEncoder
from gyre_local.testing import engines
from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.ports import SearchRequest, SearchResult
from gyre_retriever.query import Filters
from gyre_retriever.ranking import fuse

from bench.language.corpora import (
    TENANT,
    Question,
    glossary,
    passages,
    scifact,
    xquad_paragraphs,
    xquad_questions,
)
from bench.report import machine, table
from bench.system.corpora import kubernetes_pages

_SETTINGS = RetrievalSettings.model_validate(RETRIEVAL_SETTINGS)
_TOP, _AT_ONCE = 10, 4
Ranking = Sequence[str]
Vectors = dict[str, Vector]


@dataclass(frozen=True)
class Corpus:
    """Passages, and questions by their language."""

    name: str
    chunks: Sequence[IndexedChunk]
    questions: Mapping[str, Sequence[Question]]


def of_several_languages(pages: int) -> Iterable[Corpus]:
    """XQuAD alone and mixed."""
    german, english = (list(passages(xquad_paragraphs(each))) for each in ("de", "en"))
    noise = list(passages(islice(kubernetes_pages(), pages)))
    of_german, of_english = xquad_questions("de"), xquad_questions("en")
    both = {"de": of_german, "en": of_english}
    yield Corpus("German alone", german, {"de": of_german})
    yield Corpus(f"both, {pages} pages", german + english + noise, both)
    some = _every_tenth(german)
    yield Corpus(f"a tenth of German, {pages} pages", some + english + noise, both)
    yield Corpus("a tenth of English", german + _every_tenth(english), both)


def of_english() -> Iterable[Corpus]:
    """What must not change."""
    for name, (some_pages, questions) in (("SciFact", scifact()), ("glossary", glossary())):
        yield Corpus(name, list(passages(some_pages)), {"en": questions})


def _every_tenth(chunks: Iterable[IndexedChunk]) -> list[IndexedChunk]:
    return [each for each in chunks if int(each.document_id.partition("/")[2]) % 10 == 0]


class Bench:
    """Fills an index a corpus and arm, and searches it; by words alone without an encoder."""

    def __init__(
        self, client: AsyncElasticsearch, encoder: OnnxEncoder | None, *, most_questions: int
    ) -> None:
        self._client = client
        self._most_questions = most_questions
        self._encoder = encoder
        self._vectors: Vectors = {}
        self._rng = np.random.default_rng(0)

    async def rows(self, corpus: Corpus) -> list[tuple[str, ...]]:
        """A row an arm and language of the questions."""
        of_no_language = [each.model_copy(update={"language": ""}) for each in corpus.chunks]
        rows = []
        for arm, chunks in (("english", of_no_language), ("by language", corpus.chunks)):
            await self._fill(arm, chunks)
            for language, questions in self._answerable(corpus):
                rows.append(await self._measure(corpus.name, arm, language, questions))
        if "de" in corpus.questions:
            await self._fill_peer(corpus.chunks)
            of_german = dict(self._answerable(corpus))["de"]
            rows.append(await self._measure_peer(corpus.name, of_german))
        return rows

    def _answerable(self, corpus: Corpus) -> list[tuple[str, list[Question]]]:
        there = {each.document_id for each in corpus.chunks}
        answerable = [
            (language, [each for each in questions if each.relevant & there])
            for language, questions in corpus.questions.items()
        ]
        return [
            (language, questions[:: -(-len(questions) // self._most_questions)])
            for language, questions in answerable
        ]

    async def _measure(
        self, corpus: str, arm: str, language: str, questions: Sequence[Question]
    ) -> tuple[str, ...]:
        search = ElasticsearchSearch(self._client, seconds=60)
        vectors = await self._encode([each.text for each in questions], Side.QUERY)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(question: Question) -> SearchResult:
            async with slots:
                vector = vectors.get(question.text)
                return await search.search(
                    SearchRequest(
                        index=_index(arm),
                        text=question.text,
                        vector=None if vector is None else vector.tolist(),
                        candidates=_SETTINGS.candidates,
                        tenant=TENANT,
                        groups=(),
                        filters=Filters(),
                        title_boost=_SETTINGS.title_boost,
                        heading_boost=_SETTINGS.heading_boost,
                    )
                )

        began = perf_counter()
        results = await asyncio.gather(*map(one, questions))
        seconds = perf_counter() - began
        by_words = [_documents(hit.chunk for hit in each.legs[BM25]) for each in results]
        fused = [_documents(hit.chunk for hit in fuse(each, _SETTINGS)) for each in results]
        whole = _quality(questions, fused) if vectors else ("", "")
        ms = f"{1000 * seconds / len(questions):.1f}"
        head = (corpus, language, str(len(questions)), arm)
        return (*head, *_quality(questions, by_words), *whole, ms)

    async def _measure_peer(self, corpus: str, questions: Sequence[Question]) -> tuple[str, ...]:
        began = perf_counter()
        rankings = []
        for question in questions:
            reply = await self._client.search(
                index=_index("peer"),
                query={"match": {"text": question.text}},
                source_includes=["document_id"],
                size=_SETTINGS.candidates,
            )
            ids = (hit["_source"]["document_id"] for hit in reply["hits"]["hits"])
            rankings.append(list(dict.fromkeys(ids)))
        ms = f"{1000 * (perf_counter() - began) / len(questions):.1f}"
        head = (corpus, "de", str(len(questions)), "german alone")
        return (*head, *_quality(questions, rankings), "", "", ms)

    async def _fill(self, arm: str, chunks: Sequence[IndexedChunk]) -> None:
        index = _index(arm)
        await self._client.indices.delete(index=index, ignore_unavailable=True)
        texts = [encoder_input(each.title, each.heading_path, each.text) for each in chunks]
        known = await self._encode(texts, Side.DOCUMENT)
        vectors = [known[text] for text in texts] if known else self._any_vectors(len(texts))
        writer = ElasticsearchIndex(self._client, shards=1, refresh_interval="-1")
        await writer.prepare(index, len(vectors[0]))
        encoded = [EncodedChunk(*each) for each in zip(chunks, vectors, strict=True)]
        await writer.write(index, encoded, {})

    async def _fill_peer(self, chunks: Sequence[IndexedChunk]) -> None:
        index = _index("peer")
        await self._client.indices.delete(index=index, ignore_unavailable=True)
        text = {"type": "text", "analyzer": "german"}
        properties = {"text": text, "document_id": {"type": "keyword"}}
        await self._client.indices.create(index=index, mappings={"properties": properties})
        for each in chunks:
            if each.language == "de":
                fields = {"text": each.text, "document_id": each.document_id}
                await self._client.index(index=index, document=fields)
        await self._client.indices.refresh(index=index)

    async def _encode(self, texts: Sequence[str], side: Side) -> Vectors:
        if self._encoder is None:
            return {}
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        for encoded, text in zip(await self._encoder.encode(new, side), new, strict=True):
            self._vectors[text] = encoded.vector
        return self._vectors

    def _any_vectors(self, count: int) -> Sequence[Vector]:
        drawn = self._rng.normal(size=(count, 8)).astype(np.float32)
        return list(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def _index(arm: str) -> str:
    return f"bench-{arm.replace(' ', '-')}"


def _documents(chunks: Iterable[IndexedChunk]) -> Ranking:
    """By their best passage."""
    return list(dict.fromkeys(each.document_id for each in chunks))


def _quality(questions: Sequence[Question], rankings: Sequence[Ranking]) -> tuple[str, str]:
    """nDCG@10 and recall@5."""
    pairs = list(zip(questions, rankings, strict=True))
    ndcg = sum(_ndcg(*pair) for pair in pairs) / len(pairs)
    recall = sum(len(one.relevant & {*ranking[:5]}) / len(one.relevant) for one, ranking in pairs)
    return f"{ndcg:.4f}", f"{recall / len(pairs):.4f}"


def _ndcg(question: Question, ranking: Ranking) -> float:
    gains = [1 / math.log2(rank + 2) for rank in range(_TOP)]
    got = sum(gain for gain, each in zip(gains, ranking, strict=False) if each in question.relevant)
    return got / sum(gains[: len(question.relevant)])


async def run(home: Path, corpora: Iterable[Corpus], questions: int, *, vectors: bool) -> None:
    """Fills, searches, prints a table a corpus."""
    encoder = None
    if vectors:
        shipped = built_in_artifacts(datetime.now(UTC))[Roles.DOCUMENT_ENCODER]
        encoder = OnnxEncoder(read_encoder_folder(shipped_model(shipped)), threads=2)
    head = ("corpus", "questions", "n", "arm", "nDCG@10", "recall@5", "fused", "recall@5", "ms")
    with engines(home) as local:
        local.start("elasticsearch")
        url, login = local.ports.elasticsearch_url, local.elasticsearch_login
        async with open_elasticsearch(url, login) as client:
            bench = Bench(client, encoder, most_questions=questions)
            for corpus in corpora:
                print(table(head, await bench.rows(corpus)), flush=True)


def main() -> None:
    """Reads the options and runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=1363)
    parser.add_argument("--questions", type=int, default=1190)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--english", action="store_true", help="what must not change")
    which.add_argument("--vectors", action="store_true", help="encode, and fuse both legs")
    options = parser.parse_args()
    corpora = of_english() if options.english else of_several_languages(options.pages)
    print(machine())
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(run(Path(home), corpora, options.questions, vectors=options.vectors))


if __name__ == "__main__":
    main()
