"""A text as rules read it: plain words in a row, and where each of them stands."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Chinese and Japanese are written without spaces: each character is a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u4e00-\u9fff]"
    r"|(?<![^\W_\u3040-\u30ff\u4e00-\u9fff])[^\W_\u3040-\u30ff\u4e00-\u9fff]+"
    r"(?:['\u2019][a-zA-Z]{1,3}\b)?"
    r"|[.!?:\u3002\uff01\uff1a]|<\||\|>|\[/?INST\]|<</?SYS>>"
)
_JOINER = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_LATIN = re.compile(r"[a-z]")
_MIXED = re.compile(r"[a-z][0-9]|[0-9][a-z]")
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u0432\u043a\u043c\u043d\u0442\u03b1\u03b5\u03bf\u03c1\u03b9\u03bd\u03ba\u03c5\u03c7"
    "\u0261\u0131\u0578\u057d\u04cf",
    "aeopcyxijshdqwbkmhtaeopivkuxginul",
)
_DIGITS = str.maketrans("0134578", "oieastb")
_MARKS = str.maketrans("\u2019\u3002\uff01\uff1a", "'.!:")


class Word(NamedTuple):
    """A word in lower case, without accents, in Latin letters where others only look like them; or
    one of `.`, `!`, `?`, `:` or of the marks of chat templates, with `/` for `|`. It stands for the
    characters `start`..`end` of the text.
    """

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """All words of a text, in order."""
    return list(_words(text))


def _words(text: str) -> Iterator[Word]:
    visible, places = _without_joiners(text)
    for match in _WORD.finditer(visible):
        word = match.group()
        word = word.lower() if word.isascii() else _plain(word)
        if _MIXED.search(word):
            word = word.translate(_DIGITS)
        start, end = match.span()
        if places is not None:
            start, end = places[start], places[end - 1] + 1
        yield Word(word.replace("|", "/"), start, end)


def _without_joiners(text: str) -> tuple[str, Sequence[int] | None]:
    """The characters that are seen, and where they stand; None where all of them are."""
    if not _JOINER.search(text):
        return text, None
    places = [at for at, one in enumerate(text) if not _JOINER.match(one)]
    return "".join(text[at] for at in places), places


def _plain(word: str) -> str:
    folded = unicodedata.normalize("NFKD", word).lower().replace("\u00df", "ss")
    letters = "".join(one for one in folded if not unicodedata.combining(one)).translate(_MARKS)
    return letters.translate(_LOOKALIKES) if _LATIN.search(letters) else letters
