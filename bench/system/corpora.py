"""The public corpora, as documents to submit."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from bench import beir
from bench.report import data_folder


@dataclass(frozen=True)
class CorpusPage:
    """One document of a corpus."""

    document_id: str
    title: str
    text: str
    media_type: str


@dataclass(frozen=True)
class JudgedQuestions:
    """Questions with the documents that answer them: question id → text, → {document id: grade}."""

    questions: dict[str, str]
    relevant: dict[str, dict[str, int]]


def kubernetes_pages() -> Iterator[CorpusPage]:
    """The 1,363 English Markdown pages of the Kubernetes documentation, v1.31."""
    with tarfile.open(data_folder("kubernetes-docs") / "v1.31.tar.gz") as archive:
        for member in archive:
            if "/en/docs/" in member.name and member.name.endswith(".md"):
                file = archive.extractfile(member)
                if file is not None:
                    text = file.read().decode("utf-8")
                    yield CorpusPage(member.name, "", text, "text/markdown")


def kubernetes_files(version: str) -> dict[str, bytes]:
    """The Markdown files of `2024-02` or `v1.31`, README included, by their paths."""
    files = {}
    with tarfile.open(data_folder("kubernetes-docs") / f"{version}.tar.gz") as archive:
        for member in archive:
            if member.name.endswith(".md") and (file := archive.extractfile(member)) is not None:
                files[member.name.removeprefix("./")] = file.read()
    return files


def small_files(count: int) -> dict[str, bytes]:
    """Documents of one passage each, the same for the same number."""
    return {
        f"{number // 1000}/{number}.md": (
            f"# Valve {number}\n\nValve {number} of hall {number % 97} opens at {number % 89} bar "
            f"and closes at {number % 83} bar when pump {number * 7919 % 10_007} rests.\n"
        ).encode()
        for number in range(count)
    }


def scifact_abstracts() -> Iterator[CorpusPage]:
    """The 5,183 abstracts of SciFact."""
    for row in beir.documents(data_folder("scifact")):
        yield CorpusPage(f"scifact/{row['_id']}", row["title"], row["text"], "text/plain")


def scifact_claims(split: str) -> JudgedQuestions:
    """The claims of `train` or `dev` with their judgements."""
    folder = data_folder("scifact")
    relevant = {
        key: {f"scifact/{document}": grade for document, grade in grades.items()}
        for key, grades in beir.judgements(folder, split).items()
    }
    texts = beir.queries(folder)
    return JudgedQuestions({key: texts[key] for key in relevant}, relevant)


def glossary_questions() -> dict[str, str]:
    """144 "What is X" questions over the Kubernetes pages."""
    return beir.queries(data_folder("glossary"))
