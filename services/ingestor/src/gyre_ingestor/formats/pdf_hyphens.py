"""Words of a PDF that are broken at the end of a line at their own hyphen: LiteParse joins all."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"(?:^|[\s(\"“‘'/])([^\W\d_]+(?:-[^\W\d_]+){0,6})-\s*\Z")
_NEXT = re.compile(r"\s*([^\W\d_]+)")
_LONGEST_LINE = 2_000
_NEAR = 60
"""Lines behind a broken one among which the next of its column stands."""

_COMPOUND = frozenset(["self", "well"])


@dataclass(frozen=True)
class _Break:
    """A word as it stands on two lines, without its hyphen."""

    before: str
    after: str

    @property
    def joined(self) -> str:
        """As LiteParse writes it."""
        return self.before + self.after

    @property
    def hyphenated(self) -> str:
        return f"{self.before}-{self.after}"


def restore_hyphens(pages: Sequence[Any]) -> None:
    """Write `well-known` into the blocks of LiteParse's pages for a `wellknown` that only comes
    from the end of a line; `document` stays one word.

    What the document writes elsewhere decides. Where it does not tell, a word is one, unless no
    line of the document breaks a word at a syllable: then its hyphens are all the words' own.
    """
    breaks_of_pages = [(page, list(_breaks(page))) for page in pages]
    breaks = [each for _, some in breaks_of_pages for each in some]
    if not breaks:
        return
    words = Counter(word for page in pages for text in _texts(page) for word in _words(text))
    words.subtract(each.joined.lower() for each in breaks)
    parts = {part for word, count in words.items() if count > 0 for part in word.split("-")}
    first_parts = {word.split("-")[0] for word, count in words.items() if "-" in word and count > 0}
    has_syllables = any(not _of_two_words(each, parts) for each in breaks)

    def is_own(one: _Break) -> bool:
        if words[one.joined.lower()] > 0:
            return False
        if words[one.hyphenated.lower()] > 0 or "-" in one.before:
            return True
        if one.before.lower() in first_parts | _COMPOUND:
            return one.after.lower() in parts or one.before.lower() in _COMPOUND
        return not has_syllables and _of_two_words(one, parts)

    for page, some in breaks_of_pages:
        own_hyphens = {each.joined: each.hyphenated for each in some if is_own(each)}
        if own_hyphens:
            _replace(page, own_hyphens)


def _breaks(page: Any) -> Iterator[_Break]:
    items = page.text_items
    joined_words = {word for text in _texts(page) for word in _WORD.findall(text)}
    for number, item in enumerate(items):
        line = item.text[-_LONGEST_LINE:]
        match = _BROKEN.search(line) if line.rstrip().endswith("-") else None
        if match is None:
            continue
        for after in items[number + 1 : number + 1 + _NEAR]:
            first = _NEXT.match(after.text[:_LONGEST_LINE])
            one = _Break(match[1], first[1]) if first else None
            if one and one.after.islower() and one.joined in joined_words:
                yield one
                break


def _of_two_words(one: _Break, words: set[str]) -> bool:
    last = one.before.lower().rpartition("-")[2]
    return last in words and one.after.lower() in words


def _texts(page: Any) -> Iterator[str]:
    for block in page.blocks or ():
        yield block.text or "\n".join(block.lines or ())


def _words(text: str) -> Iterator[str]:
    return (word.lower() for word in _WORD.findall(text))


def _replace(page: Any, words: Mapping[str, str]) -> None:
    def replaced(text: str) -> str:
        return _WORD.sub(lambda match: words.get(match.group(), match.group()), text)

    for block in page.blocks:
        if block.text:
            block.text = replaced(block.text)
        elif block.lines:
            block.lines = [replaced(line) for line in block.lines]
