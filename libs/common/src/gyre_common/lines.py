"""What callers send as one line of text: names, keys and reasons that end up in logs and tables."""

import re

from gyre_common.errors import InvalidInput

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def has_control_characters(text: str) -> bool:
    """Tell whether a text holds line ends, other control characters or lone surrogates."""
    return _CONTROL.search(text) is not None


def folded(text: str) -> str:
    """One line, the same for texts that differ in case and white space only."""
    return " ".join(text.casefold().split())


def check_line(field: str, text: str, *, most: int) -> None:
    """Refuse what is longer than `most` characters, or more than one line of printable text.

    Raises:
        InvalidInput: names the field.
    """
    if len(text) > most:
        raise InvalidInput(field, f"has {len(text)} characters", f"send at most {most}")
    if has_control_characters(text):
        raise InvalidInput(field, "has control characters", "send one line of printable text")
