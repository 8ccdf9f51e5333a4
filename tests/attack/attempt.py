"""One attempt, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

NOT_SENT = "not sent"
"""No client library sends it: no attempt."""


@dataclass(frozen=True)
class Attempt:
    """`send` returns what came of it in a word, such as INVALID_ARGUMENT, 400 or parked."""

    over: str
    kind: str
    name: str
    send: Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class Outcome:
    """Whether the system stood, in a word and a sentence."""

    attempt: Attempt
    result: str
    held: bool

    def __str__(self) -> str:
        verdict = "held" if self.held else "BROKE"
        attempt = self.attempt
        return f"{verdict} {attempt.over:5} {self.result:20} {attempt.kind:18} {attempt.name}"
