"""Guesses how many tokens a text is, for budgets and for servers that do not count."""


def estimated_tokens(text: str) -> int:
    """A quarter of the UTF-8 bytes, rounded up: near what byte-pair encoders make of English prose,
    too high rather than too low for other scripts.
    """
    return -(-len(text.encode("utf-8", "replace")) // 4)
