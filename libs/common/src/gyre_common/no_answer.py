"""The word by which a language model says that its passages hold no answer."""

NO_ANSWER = "NOT_IN_THE_PASSAGES"
"""Prompts ask for exactly that; models add quotes, a mark or a reason."""

_BEFORE = " \t\r\n\"'`*([“‘«"
_WORD = NO_ANSWER.casefold()


def says_no_answer(text: str) -> bool:
    """Whether a text begins with the word, in quotes or not, whatever comes behind it."""
    rest = _beginning(text).removeprefix(_WORD)
    return rest != _beginning(text) and not (rest[:1].isalnum() or rest[:1] == "_")


def may_say_no_answer(beginning: str) -> bool:
    """Whether a text that begins so says it, or may yet."""
    return _WORD.startswith(_beginning(beginning)) or says_no_answer(beginning)


def _beginning(text: str) -> str:
    return text.lstrip(_BEFORE)[: len(_WORD) + 1].casefold()
