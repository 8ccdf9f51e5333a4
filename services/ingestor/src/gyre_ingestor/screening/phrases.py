"""Phrases as rules write them, and where words match them.

A phrase is a row of slots. `ignore|pay_no_attention_to` is one of these words, or rows of words;
`all?` may be left out; `..4` lets up to four words stand between, but for those that say whose
words are meant (`ignore my previous mail`); `$ai` stands for the words of a list. A match costs at
most the product of a phrase's gaps, whatever the text.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")

_WHOSE = frozenset(["my", "our", "his", "her", "their"])


@dataclass(frozen=True)
class _Slot:
    """`rows` are alternatives of several words."""

    words: frozenset[str]
    rows: tuple[list[str], ...]
    gap: int
    optional: bool

    @property
    def first_words(self) -> frozenset[str]:
        return self.words | {row[0] for row in self.rows}


Phrase = tuple[_Slot, ...]


def parse_phrase(line: str, lists: Mapping[str, str]) -> Phrase:
    """The phrase that a line writes; its first slot is not optional and has no gap before it."""
    slots, gap = [], 0
    for part in line.split():
        if part.startswith(".."):
            gap = int(part[2:])
            continue
        names = part.removesuffix("?").split("|") if len(part) > 1 else [part]
        alternatives = [
            one.split("_")
            for name in names
            for one in (lists[name[1:]].split() if name.startswith("$") else [name])
        ]
        slots.append(
            _Slot(
                words=frozenset(one[0] for one in alternatives if len(one) == 1),
                rows=tuple(one for one in alternatives if len(one) > 1),
                gap=gap,
                optional=len(part) > 1 and part.endswith("?"),
            )
        )
        gap = 0
    return tuple(slots)


class Phrases(Generic[R]):
    """Phrases and what each of them means."""

    def __init__(self, phrases: Iterable[tuple[Phrase, R]]) -> None:
        self._by_first_word: dict[str, list[tuple[Phrase, R]]] = defaultdict(list)
        for phrase, meaning in phrases:
            for first in phrase[0].first_words:
                self._by_first_word[first].append((phrase, meaning))

    def matches(self, words: Sequence[str]) -> Iterator[tuple[int, int, R]]:
        """The numbers of the first word and of that behind the last, by the first, and the meaning
        of each phrase that matches there.
        """
        by_first_word = self._by_first_word
        for number, word in enumerate(words):
            if word in by_first_word:
                for phrase, meaning in by_first_word[word]:
                    end = _end(phrase, words, number)
                    if end is not None:
                        yield number, end, meaning


def _end(phrase: Phrase, words: Sequence[str], at: int) -> int | None:
    """The number behind the last word that the phrase takes from `at` on."""
    if not phrase:
        return at
    slot, others = phrase[0], phrase[1:]
    for start in range(at, min(at + slot.gap + 1, len(words))):
        word = words[start]
        if word in slot.words and (end := _end(others, words, start + 1)) is not None:
            return end
        for row in slot.rows:
            behind = start + len(row)
            if word == row[0] and words[start:behind] == row:
                end = _end(others, words, behind)
                if end is not None:
                    return end
        if word in _WHOSE:
            break
    return _end(others, words, at) if slot.optional else None
