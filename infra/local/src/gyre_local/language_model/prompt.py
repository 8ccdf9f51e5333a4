"""Special tokens in what people write are plain text: no message forges a role."""

import re
from collections.abc import Callable, Iterable, Sequence

_SPECIAL = re.compile(r"<[^<>\s]{1,64}>|\[/?[A-Z_]{1,32}\]")
"""How special tokens look. An ordinary word of the same look is only encoded in two pieces."""


def broken(text: str, named: Iterable[str], mark: str) -> str:
    """The text with `mark` inside each special token, those that are `named` and all that look like
    one, so that pieces between marks hold none.
    """
    for token in filter(None, named):
        if not _SPECIAL.fullmatch(token):
            text = text.replace(token, f"{token[:1]}{mark}{token[1:]}")
    return _SPECIAL.sub(lambda match: f"{match[0][:1]}{mark}{match[0][1:]}", text)


def encode_pieces(text: str, mark: str, encode: Callable[[str], Sequence[int]]) -> list[int]:
    """Tokens of a text that is encoded piece by piece between marks."""
    return [token for piece in text.split(mark) if piece for token in encode(piece)]
