"""How much a generator version reads, where it says so itself."""

from collections.abc import Mapping

from gyre_common.errors import FailedPrecondition

FEWEST_CONTEXT_TOKENS = 100


def context_tokens(settings: Mapping[str, str]) -> int | None:
    """The setting of that name, tokens of passages that the version reads at most; None where it
    names none. Raises FailedPrecondition.
    """
    value = settings.get("context_tokens")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and int(value) >= FEWEST_CONTEXT_TOKENS):
        raise FailedPrecondition(
            f"the generator version's setting context_tokens is {value[:20]!r}: register a version "
            f"with a whole number from {FEWEST_CONTEXT_TOKENS}"
        )
    return int(value)
