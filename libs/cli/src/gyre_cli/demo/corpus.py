"""A corpus made by a fixed seed, in which those who ask use other words than the documents do.

A document tells one aspect of one part; there is one for each pair. Whoever asks calls the part by
an alias that no document holds, and the aspect by everyday words. The same alias recurs with every
aspect of its part, so what votes teach about some documents carries over to documents that nobody
voted on; that is what the demonstration is generated to show. Part of the questions also name the
room where the part stands, as the documents do: without such hints nothing right would be found at
first, and nobody could vote for it.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gyre_cli.demo.vocabulary import (
    AREAS,
    ASPECTS,
    CODAS,
    HINTS,
    ONSETS,
    ONSETS_INSIDE,
    OPENINGS,
    VOWELS,
    Aspect,
)

SEED = 2026


@dataclass(frozen=True)
class Size:
    """How much is generated. Shares are of the whole."""

    name: str
    areas: int
    aspects: int
    crowd_questions: int
    passes: int
    """How many people ask each of them: the more, the more of what is right is shown and judged."""
    untouched_each: int
    """Questions a slice that the crowd never asks."""
    never_asked: float = 0.3
    """Of the documents: nobody in the crowd asks about them."""
    hinted: float = 0.6
    """Of the questions: they name the room."""
    training: Mapping[str, str] = field(default_factory=dict)
    """The recipe's settings where they differ from its own."""


_ONE_CORPUS = {"rehearsal": "0"}
"""The manual is all there is: no other documents, which rehearsing would keep findable."""

FULL = Size(
    "full",
    areas=8,
    aspects=12,
    crowd_questions=1_000,
    passes=2,
    untouched_each=140,
    training=_ONE_CORPUS,
)
SHORT = Size(
    "short",
    areas=4,
    aspects=10,
    crowd_questions=420,
    passes=2,
    untouched_each=50,
    training=_ONE_CORPUS,
)


@dataclass(frozen=True)
class Document:
    """A page of the manual, as Markdown."""

    document_id: str
    text: str


@dataclass(frozen=True)
class DemoQuestion:
    """What somebody wants to know, and the documents that tell it."""

    question_id: str
    text: str
    relevant: frozenset[str]


@dataclass(frozen=True)
class DemoCorpus:
    """`asked` is for the crowd; `untouched` for measuring, on documents that the crowd asks about
    and on documents that it never does.
    """

    documents: tuple[Document, ...]
    crowd_questions: tuple[DemoQuestion, ...]
    untouched: tuple[DemoQuestion, ...]


@dataclass(frozen=True)
class _Pair:
    area: str
    part: str
    alias: str
    aspect: Aspect

    @property
    def document_id(self) -> str:
        return f"manual/{self.part}/{self.aspect.title}".lower().replace(" ", "-") + ".md"


def generate(size: Size, seed: int = SEED) -> DemoCorpus:
    """The same size and seed give the same corpus."""
    chance = random.Random(seed)
    pairs = _pairs(size, _aliases(chance))
    chance.shuffle(pairs)
    quiet = pairs[: round(len(pairs) * size.never_asked)]
    busy = pairs[len(quiet) :]
    held_out = {pair: chance.randrange(len(pair.aspect.wordings)) for pair in pairs}
    crowd_questions = [
        _question(pair, wording, size, chance)
        for pair in busy
        for wording in range(len(pair.aspect.wordings))
        if wording != held_out[pair]
    ]
    chance.shuffle(crowd_questions)
    untouched = [
        _question(pair, held_out[pair], size, chance)
        for some in (busy, quiet)
        for pair in some[: size.untouched_each]
    ]
    documents = sorted((_document(pair, chance) for pair in pairs), key=lambda d: d.document_id)
    return DemoCorpus(
        tuple(documents), tuple(crowd_questions[: size.crowd_questions]), tuple(untouched)
    )


def _pairs(size: Size, aliases: Iterator[str]) -> list[_Pair]:
    parts = [(area, part) for area in list(AREAS)[: size.areas] for part in AREAS[area]]
    with_alias = [(area, part, next(aliases)) for area, part in parts]
    return [
        _Pair(area, part, alias, aspect)
        for area, part, alias in with_alias
        for aspect in ASPECTS[: size.aspects]
    ]


def _aliases(chance: random.Random) -> Iterator[str]:
    """Words that do not exist, each unlike those before it from the first letters on."""
    beginnings: set[str] = set()
    while True:
        first = chance.choice(ONSETS) + chance.choice(VOWELS)
        if first not in beginnings:
            beginnings.add(first)
            middle = chance.choice(ONSETS_INSIDE) + chance.choice(VOWELS)
            yield first + middle + chance.choice(ONSETS_INSIDE) + _ending(chance)


def _ending(chance: random.Random) -> str:
    return chance.choice(VOWELS) + chance.choice(CODAS)


def _document(pair: _Pair, chance: random.Random) -> Document:
    numbers = {"n": chance.randrange(3, 90), "m": chance.randrange(2, 60)}
    body = " ".join(pair.aspect.sentences).format(part=pair.part, area=pair.area, **numbers)
    title = f"{pair.part.capitalize()}: {pair.aspect.title.lower()}"
    return Document(pair.document_id, f"# {title}\n\n{body}\n")


def _question(pair: _Pair, wording: int, size: Size, chance: random.Random) -> DemoQuestion:
    hint = chance.choice(HINTS).format(area=pair.area) if chance.random() < size.hinted else ""
    wording_text = pair.aspect.wordings[wording].format(alias=pair.alias)
    text = f"{chance.choice(OPENINGS)}{wording_text}?{hint}"
    name = f"{pair.document_id}#{wording}"
    return DemoQuestion(name, text[0].upper() + text[1:], frozenset({pair.document_id}))
