"""The pages of the Kubernetes documentation, cut as Gyre cuts them, and versions of them."""

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random
from uuid import UUID

from gyre_common.events.documents import Chunk, DocumentAccepted
from gyre_common.events.event import now
from gyre_common.lines import folded
from gyre_common.near_duplicates import Wording, name_of
from gyre_common.releases.builtin import INGESTION_SETTINGS
from gyre_common.text import prose_spans
from gyre_ingestor.chunking import ChunkRecipe
from gyre_ingestor.reading import read
from gyre_ingestor.refused import DocumentRefused

from bench.report import data_folder

OLD, NEW = "2024-02", "v1.31"

_RECIPE = ChunkRecipe.from_settings(INGESTION_SETTINGS)
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"(?<=\s)\d{1,4}(?=[\s,.])")
_NAME = re.compile(r"(?<=[a-z] )[A-Z][a-zA-Z]{2,20}(?= )")
_OTHER_SENTENCE = "Whoever needs more asks the team that runs the cluster."
_NOTICE = "This page belongs to the handbook of the platform team. Do not pass it on to others."


@dataclass(frozen=True)
class Passage:
    """A passage, where it stands and what is compared of it."""

    page: str
    release: str
    title: str
    chunk: Chunk

    @cached_property
    def wording(self) -> Wording:
        return Wording(self.chunk.text)

    @cached_property
    def place(self) -> tuple[str, ...]:
        return (name_of(self.title, self.page), *map(folded, self.chunk.heading_path))

    @cached_property
    def words(self) -> str:
        return " ".join(self.chunk.text.split())


@dataclass(frozen=True)
class Page:
    """A page as it was read."""

    name: str
    release: str
    source: str
    passages: tuple[Passage, ...]

    @cached_property
    def wording(self) -> Wording:
        return Wording(" ".join(passage.chunk.text for passage in self.passages))


def pages(release: str) -> dict[str, Page]:
    """By path, without those that hold no text."""
    read_pages = (page_of(name, release, text) for name, text in sources(release))
    return {page.name: page for page in read_pages if page.passages}


def sources(release: str) -> Iterator[tuple[str, str]]:
    """Paths and Markdown."""
    with tarfile.open(data_folder("kubernetes-docs") / f"{release}.tar.gz") as packed:
        for member in packed:
            if "/en/docs/" in member.name and member.name.endswith(".md"):
                file = packed.extractfile(member)
                if file is not None:
                    name = member.name.partition("/en/docs/")[2]
                    yield name, file.read().decode(errors="replace")


def page_of(name: str, release: str, source: str) -> Page:
    """Read as the ingestor does."""
    document = DocumentAccepted(
        tenant="bench",
        document_id=f"{release}/{name}",
        submission_id=UUID(int=0),
        submitted_at=now(),
        accepted_at=now(),
        media_type="text/markdown",
    )
    try:
        result = read(document, source.encode(), _RECIPE)
    except DocumentRefused:
        return Page(name, release, source, ())
    passages = tuple(Passage(name, release, result.title, one) for one in result.chunks)
    return Page(name, release, source, passages)


def with_sentence_dropped(source: str, random: Random) -> str | None:
    """None where no paragraph has three sentences."""

    def drop(some: list[str]) -> list[str]:
        some.pop(random.randrange(len(some)))
        return some

    return _with_paragraph(source, random, drop)


def with_sentence_replaced(source: str, random: Random) -> str | None:
    """By one that says something else, without numbers."""

    def put(some: list[str]) -> list[str]:
        some[random.randrange(len(some))] = (
            "Whoever needs more asks the team that runs the cluster."
        )
        return some

    return _with_paragraph(source, random, put)


def with_sentences_reordered(source: str, random: Random) -> str | None:
    """One paragraph's sentences backwards."""
    return _with_paragraph(source, random, lambda some: some[::-1])


def with_notices(source: str, random: Random) -> str | None:
    """A line of boilerplate before and behind."""
    _, front, rest = source.split("---\n", 2) if source.startswith("---\n") else ("", "", source)
    head = f"---\n{front}---\n" if front else ""
    return f"{head}{_NOTICE}\n\n{rest}\n\n{_NOTICE}\n"


def with_number_changed(source: str, random: Random) -> str | None:
    """Another fact: one number is another one."""
    return _replaced(source, random, _NUMBER, lambda number: str(int(number) + 7))


def with_name_changed(source: str, random: Random) -> str | None:
    """Another fact: a word with a capital is another one, wherever it stands."""
    places = _NAME.findall(source)
    if not places:
        return None
    name = random.choice(places)
    return _WORD.sub(lambda word: "Zanzibar" if word.group() == name else word.group(), source)


SAME: Mapping[str, Callable[[str, Random], str | None]] = {
    "sentence dropped": with_sentence_dropped,
    "sentence replaced": with_sentence_replaced,
    "sentences reordered": with_sentences_reordered,
    "boilerplate around": with_notices,
}
DIFFERENT: Mapping[str, Callable[[str, Random], str | None]] = {
    "number changed": with_number_changed,
    "name changed": with_name_changed,
}


def _with_paragraph(
    source: str, random: Random, change: Callable[[list[str]], list[str]]
) -> str | None:
    paragraphs = source.split("\n\n")
    cut = {
        number: [paragraph[start:end] for start, end in prose_spans(paragraph)]
        for number, paragraph in enumerate(paragraphs)
        if paragraph[:1].isalpha()
    }
    choices = [number for number, some in cut.items() if len(some) >= 3]
    if not choices:
        return None
    number = random.choice(choices)
    paragraphs[number] = " ".join(one.strip() for one in change(cut[number]))
    return "\n\n".join(paragraphs)


def _replaced(
    source: str, random: Random, pattern: re.Pattern[str], change: Callable[[str], str]
) -> str | None:
    places = list(pattern.finditer(source))
    if not places:
        return None
    place = random.choice(places)
    return source[: place.start()] + change(place.group()) + source[place.end() :]
