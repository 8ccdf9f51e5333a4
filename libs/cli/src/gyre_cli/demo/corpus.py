"""A corpus made by a fixed seed, in which those who ask use other words than the documents do.

A document tells one aspect of one part; there is one for each pair. Whoever asks calls the part by
an alias that no document holds, and the aspect by everyday words. The same alias recurs with every
aspect of its part, so what votes teach about some documents carries over to documents that nobody
voted on; that is what the demonstration is generated to show. Part of the questions also name the
room where the part stands, as the documents do: without such hints nothing right would be found at
first, and nobody could vote for it.
"""

import random
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

SEED = 2026


_QUIET_SHARE = 0.3  # of the documents: nobody in the crowd asks about them
_HINTED = 0.6  # of the questions: they name the room
_ABSENT_EACH = 6  # of the questions with a reply, one in so many is about an absent part


@dataclass(frozen=True)
class Size:
    """How much is generated; `untouched_each` questions a slice are never asked by the crowd, of
    which `passes` people ask each of the others: the more, the surer it is which votes are wrong.

    Of the second act: `corrected` questions are asked and corrected, `untouched_answers` never
    asked by the crowd, and the model sees what it learns from `epochs` times.
    """

    name: str
    areas: int
    aspects: int
    crowd_questions: int
    passes: int
    untouched_each: int
    corrected: int
    untouched_answers: int
    epochs: int


FULL = Size(
    "full",
    areas=8,
    aspects=12,
    crowd_questions=1_000,
    passes=2,
    untouched_each=140,
    corrected=150,
    untouched_answers=40,
    epochs=3,
)
SHORT = Size(
    "short",
    areas=4,
    aspects=10,
    crowd_questions=420,
    passes=3,
    untouched_each=50,
    corrected=60,
    untouched_answers=10,
    epochs=2,
)


@dataclass(frozen=True)
class Document:
    """A page of the manual, as Markdown."""

    document_id: str
    text: str


@dataclass(frozen=True)
class DemoQuestion:
    """What somebody wants to know, the documents that tell it, and what they would like to read."""

    question_id: str
    text: str
    relevant: frozenset[str]
    reply: str = ""


@dataclass(frozen=True)
class DemoCorpus:
    """`untouched` measure, on documents that the crowd asks about and on those it does not.

    Of the second act are `corrected` and `untouched_answers`: questions that call a part by its
    name, about documents of their own, each with its reply; one in six is about a part that no
    document knows.
    """

    documents: tuple[Document, ...]
    crowd_questions: tuple[DemoQuestion, ...]
    untouched: tuple[DemoQuestion, ...]
    corrected: tuple[DemoQuestion, ...]
    untouched_answers: tuple[DemoQuestion, ...]


@cache
def _vocabulary() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text("utf-8"))


@dataclass(frozen=True, eq=False)
class _Page:
    """One aspect of one part, in one area."""

    area: str
    part: str
    alias: str
    title: str
    sentences: list[str]
    wordings: list[str]
    replies: list[str]

    @property
    def document_id(self) -> str:
        return f"manual/{self.part}/{self.title}".lower().replace(" ", "-") + ".md"


def generate(size: Size, seed: int = SEED) -> DemoCorpus:
    """The same size and seed give the same corpus."""
    chance = random.Random(seed)
    pages = _pages(size, _aliases(chance))
    chance.shuffle(pages)
    quiet = pages[: round(len(pages) * _QUIET_SHARE)]
    busy = pages[len(quiet) :]
    held_out = {page: chance.randrange(len(page.wordings)) for page in pages}
    crowd_questions = [
        _question(page, wording, chance)
        for page in busy
        for wording in range(len(page.wordings))
        if wording != held_out[page]
    ]
    chance.shuffle(crowd_questions)
    untouched = [
        _question(page, held_out[page], chance)
        for some in (busy, quiet)
        for page in some[: size.untouched_each]
    ]
    numbers = {page: _numbers(chance) for page in pages}
    documents = (_document(page, numbers[page]) for page in pages)
    replied = _replied_questions(numbers, size, random.Random(f"{seed}/replies"))
    return DemoCorpus(
        tuple(sorted(documents, key=lambda d: d.document_id)),
        tuple(crowd_questions[: size.crowd_questions]),
        tuple(untouched),
        replied[: size.corrected],
        replied[size.corrected :],
    )


def _pages(size: Size, aliases: Iterator[str]) -> list[_Page]:
    vocabulary = _vocabulary()
    areas = list(vocabulary["areas"].items())[: size.areas]
    parts = [(area, part, next(aliases)) for area, parts in areas for part in parts]
    texts = ("title", "sentences", "wordings", "replies")
    return [
        _Page(area, part, alias, *(aspect[key] for key in texts))
        for area, part, alias in parts
        for aspect in vocabulary["aspects"][: size.aspects]
    ]


def _aliases(chance: random.Random) -> Iterator[str]:
    """Words that do not exist, each unlike those before it from the first letters on."""
    words, beginnings = _vocabulary(), set[str]()
    while True:
        first = chance.choice(words["onsets"]) + chance.choice(words["vowels"])
        if first not in beginnings:
            beginnings.add(first)
            rest = ("inner_onsets", "vowels", "inner_onsets", "vowels", "codas")
            yield first + "".join(chance.choice(words[kind]) for kind in rest)


def _numbers(chance: random.Random) -> dict[str, int]:
    return {"n": chance.randrange(3, 90), "m": chance.randrange(2, 60)}


def _document(page: _Page, numbers: Mapping[str, int]) -> Document:
    body = " ".join(page.sentences).format(part=page.part, area=page.area, **numbers)
    title = f"{page.part.capitalize()}: {page.title.lower()}"
    return Document(page.document_id, f"# {title}\n\n{body}\n")


def _question(page: _Page, wording: int, chance: random.Random) -> DemoQuestion:
    words, hint = _vocabulary(), ""
    if chance.random() < _HINTED:
        hint = chance.choice(words["hints"]).format(area=page.area)
    wording_text = page.wordings[wording].format(alias=page.alias)
    text = f"{chance.choice(words['openings'])}{wording_text}?{hint}"
    name = f"{page.document_id}#{wording}"
    return DemoQuestion(name, text[0].upper() + text[1:], frozenset({page.document_id}))


def _replied_questions(
    numbers: Mapping[_Page, Mapping[str, int]], size: Size, chance: random.Random
) -> tuple[DemoQuestion, ...]:
    """As many as the second act needs, one a page, those about absent parts among them."""
    wanted = size.corrected + size.untouched_answers
    pages = chance.sample(list(numbers), k=wanted)
    questions = []
    for number, page in enumerate(pages):
        wording = chance.randrange(len(page.wordings))
        part, relevant, reply = page.part, frozenset({page.document_id}), page.replies[wording]
        if number % _ABSENT_EACH == 0:
            part, relevant, reply = chance.choice(_vocabulary()["absent"]), frozenset(), ""
        text = page.wordings[wording].format(alias=part)
        reply = reply.format(part=page.part, **numbers[page])
        name = f"{page.document_id}#reply-{wording}"
        questions.append(DemoQuestion(name, f"{text[0].upper()}{text[1:]}?", relevant, reply))
    return tuple(questions)
