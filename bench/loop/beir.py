"""A corpus in BEIR's layout as the demonstration's crowd takes it."""

from pathlib import Path

from gyre_cli.demo.corpus import DemoQuestion, Document

from bench import beir


def demo_documents(folder: Path) -> tuple[Document, ...]:
    """All of them, each with its title as a heading."""
    return tuple(
        Document(
            f"{folder.name}/{row['_id']}",
            f"# {row.get('title') or row['_id']}\n\n{row['text']}\n",
        )
        for row in beir.documents(folder)
    )


def demo_questions(folder: Path, split: str) -> tuple[DemoQuestion, ...]:
    """Those of a split that have a relevant document."""
    texts = beir.queries(folder)
    relevant = {
        key: [f"{folder.name}/{document}" for document, grade in grades.items() if grade > 0]
        for key, grades in beir.judgements(folder, split).items()
    }
    return tuple(
        DemoQuestion(key, texts[key], frozenset(some)) for key, some in relevant.items() if some
    )
