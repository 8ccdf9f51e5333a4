"""Names that somebody misspelt: which known one was meant."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_LIKENESS = 0.8
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}", re.ASCII)
_MOST_NAMES = 50


@dataclass(frozen=True)
class Misspelt:
    """A field that is not known, and the one that is like it."""

    name: str
    meant: str

    def __str__(self) -> str:
        return f"unknown field `{self.name}`: did you mean `{self.meant}`?"


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; case, dashes and underscores do not count."""
    if not _NAME.fullmatch(name):
        return None
    names = {each.casefold(): each for each in known}
    plain = sorted(_plain(name))
    for each, meant in names.items():
        if sorted(_plain(each)) == plain:  # letters changed places, which is much in a short name
            return meant
    near = get_close_matches(name.casefold(), names, n=1, cutoff=_LIKENESS)
    return names[near[0]] if near else None


def misspelt_names(names: Iterable[str], known: Iterable[str]) -> Sequence[Misspelt]:
    """Those that are not known and like a known one that is missing. Others say nothing: they may
    be anybody's words, or fields of a later version.
    """
    given, known = set(names), set(known)
    missing = sorted(known - given)
    unknown = sorted(given - known)[:_MOST_NAMES]
    near = ((name, near_name(name, missing)) for name in unknown)
    return [Misspelt(name, meant) for name, meant in near if meant is not None]


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
