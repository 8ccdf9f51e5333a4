"""Passages as the ingestor cuts them and tells their language, and the questions they answer."""

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gyre_common.chunk_index import IndexedChunk
from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.language import language_of

from bench import beir
from bench.report import data_folder
from bench.system.corpora import CorpusPage, scifact_abstracts, scifact_claims

TENANT = "bench"
_RECIPE = ChunkRecipe()


@dataclass(frozen=True)
class Question:
    """A question and the documents that answer it."""

    text: str
    relevant: frozenset[str]


def xquad_paragraphs(language: str) -> Iterator[CorpusPage]:
    """The 240 paragraphs of XQuAD in `en` or `de`."""
    for number, paragraph in enumerate(_xquad(language)):
        yield CorpusPage(f"{language}/{number}", "", paragraph["context"], "text/plain")


def xquad_questions(language: str) -> list[Question]:
    """Its 1,190 questions; the paragraph in the same language alone counts."""
    return [
        Question(each["question"], frozenset([f"{language}/{number}"]))
        for number, paragraph in enumerate(_xquad(language))
        for each in paragraph["qas"]
    ]


def _xquad(language: str) -> Iterator[dict[str, Any]]:
    text = (data_folder("xquad") / f"xquad.{language}.json").read_text(encoding="utf-8")
    for article in json.loads(text)["data"]:
        yield from article["paragraphs"]


def scifact() -> tuple[list[CorpusPage], list[Question]]:
    """Abstracts, and the claims of dev."""
    claims = scifact_claims("dev")
    questions = [
        Question(claims.questions[key], frozenset(grades))
        for key, grades in claims.relevant.items()
    ]
    return list(scifact_abstracts()), questions


def glossary() -> tuple[list[CorpusPage], list[Question]]:
    """The text of the Kubernetes pages, and "What is X"."""
    folder = data_folder("glossary")
    pages = [
        CorpusPage(row["_id"], row["title"], row["text"], "text/plain")
        for row in beir.documents(folder)
        if row["text"].strip()
    ]
    texts, relevant = beir.queries(folder), beir.judgements(folder, "glossary")
    return pages, [Question(texts[key], frozenset(grades)) for key, grades in relevant.items()]


def kubernetes_code() -> Iterator[str]:
    """The example files of the Kubernetes documentation, most of them YAML."""
    with tarfile.open(data_folder("kubernetes-docs") / "v1.31.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if "/examples/" in member.name else None
            if file is not None:
                yield file.read().decode("utf-8", "replace")


def passages(pages: Iterable[CorpusPage]) -> Iterator[IndexedChunk]:
    """What the ingestor makes of them."""
    for page in pages:
        document = FORMATS[page.media_type].parse(page.text.encode(), "utf-8")
        title = page.title or document.title
        language = language_of(document)
        for each in chunk(document, TENANT, page.document_id, title, _RECIPE):
            yield IndexedChunk.model_validate(
                {
                    **dict(each),
                    "tenant": TENANT,
                    "document_id": page.document_id,
                    "revision": 1,
                    "title": title,
                    "language": language,
                }
            )
