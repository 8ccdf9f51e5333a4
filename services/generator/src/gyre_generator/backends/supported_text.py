"""Lets the sentences of an answer out, and knows which of them the passages support."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import GuardrailResult
from gyre_common.text import Sentence, sentences

from gyre_generator.backends import Claim
from gyre_generator.backends.support import SupportIndex, needs_support
from gyre_generator.sentence_window import SentenceWindow

_QUOTE_CHARACTERS = 80
_MOST_QUOTED = 5


class Unsupported(StrEnum):
    """What becomes of a sentence without support: the guardrail names it, the answer ends before
    it, or goes on without it.
    """

    MARK = "mark"
    HOLD = "hold"
    DROP = "drop"


def unsupported_policy(settings: Mapping[str, str]) -> Unsupported:
    """By the setting `unsupported` of a generator version. Raises FailedPrecondition."""
    value = settings.get("unsupported", Unsupported.MARK)
    try:
        return Unsupported(value)
    except ValueError as error:
        choices = ", ".join(Unsupported)
        raise FailedPrecondition(
            f"the generator version's setting unsupported is {value[:20]!r}: register a version "
            f"with one of {choices}"
        ) from error


class SupportedText:
    """Takes an answer as it is written, and hands on what may leave: with `mark` as it comes,
    otherwise by whole sentences. `text` is what left; nothing does once it `is_held`.
    """

    def __init__(self, index: SupportIndex, policy: Unsupported) -> None:
        self.text = ""
        self.is_held = False
        self._index = index
        self._policy = policy
        self._window = SentenceWindow()
        self._written = 0
        self._moved: list[tuple[int, int, int]] = []
        self._left_out: list[str] = []

    def feed(self, piece: str, *, final: bool = False) -> str:
        """What may leave now: all that may with the `final` piece."""
        if self._policy is Unsupported.MARK:
            return self._let_out(piece)
        parts = self._window.feed(piece)
        return "".join(map(self._check, [*parts, *(self._window.rest() if final else ())]))

    def claims(self, marked: Sequence[Claim]) -> tuple[Claim, ...]:
        """Each sentence that left rests on the one that supports it, of a passage that the model
        `marked` where that supports it as much. Where none does, the model's word stands; so do
        numbers of passages that there are not.
        """
        moved = [claim for each in marked if (claim := self._moved_claim(each))]
        claims: list[Claim] = []
        for part in self._parts():
            own = [each for each in moved if each.start < part.end and part.start < each.end]
            support = self._index.support(part.text, preferred={each.number for each in own})
            if support:
                quote = (support.start, support.end)
                claims.append(Claim(part.start, part.end, support.number, quote))
                own = [each for each in own if each.number not in self._index.numbers]
            claims += own
        return tuple(claims)

    def verdict(self) -> GuardrailResult:
        """How many sentences are supported, and which are not."""
        parts = self._parts()
        bare = [part.text for part in parts if not self._index.support(part.text)]
        unsupported = [*bare, *self._left_out]
        written = len(parts) + len(self._left_out)
        detail = f"{written - len(unsupported)} of {written} sentences supported"
        what = {Unsupported.MARK: "not", Unsupported.HOLD: "held back", Unsupported.DROP: "dropped"}
        if unsupported:
            quotes = (f'"{text[:_QUOTE_CHARACTERS]}"' for text in unsupported[:_MOST_QUOTED])
            detail += f"; {what[self._policy]}: {', '.join(quotes)}"
        return GuardrailResult(name="support", passed=not unsupported, detail=detail)

    def _check(self, part: str) -> str:
        texts = [each.text for each in sentences(part) if needs_support(each)]
        if self.is_held:
            return ""
        if all(self._index.support(text) for text in texts):
            return self._let_out(part)
        self.is_held = self._policy is Unsupported.HOLD
        self._left_out.append(part.strip())
        self._written += len(part)
        return ""

    def _let_out(self, part: str) -> str:
        text = part if self.text else part.lstrip()
        written_at, self._written = self._written + len(part) - len(text), self._written + len(part)
        if text:
            self._move(written_at, len(text))
            self.text += text
        return text

    def _move(self, written_at: int, length: int) -> None:
        """Remember where a stretch of what was written stands in what left."""
        if self._moved:
            before_at, left_at, before_length = self._moved[-1]
            if before_at + before_length == written_at:
                self._moved[-1] = before_at, left_at, before_length + length
                return
        self._moved.append((written_at, len(self.text), length))

    def _moved_claim(self, claim: Claim) -> Claim | None:
        for written_at, left_at, length in self._moved:
            if written_at <= claim.start < written_at + length:
                shift = left_at - written_at
                return Claim(claim.start + shift, claim.end + shift, claim.number)
        return None

    def _parts(self) -> list[Sentence]:
        return [part for part in sentences(self.text) if needs_support(part)]
