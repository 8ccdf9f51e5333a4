"""Cuts text that arrives in pieces into whole sentences, so that one can be kept back."""

from itertools import pairwise

from gyre_common.text import sentences

MOST_HELD = 2_000
"""Characters. A longer sentence, as code may be one, leaves in parts."""

STOPPED = "The answer was stopped by a check."
"""What the answer ends with where a sentence was kept back."""


class SentenceWindow:
    """Each sentence leaves, with what stands before it, once the next one has begun."""

    def __init__(self) -> None:
        self._tail = ""

    def feed(self, piece: str) -> list[str]:
        """The sentences that are whole with this piece."""
        *whole, self._tail = _split_sentences(self._tail + piece)
        return whole

    def rest(self) -> list[str]:
        """What is left when the text has ended: one sentence, or none."""
        rest, self._tail = self._tail, ""
        return [rest] if rest else []


def _split_sentences(text: str) -> list[str]:
    """Whole sentences, each with what stands before it, then what may still go on."""
    ends = [sentence.end for sentence in sentences(text)[:-1]]
    if not ends and len(text) > MOST_HELD:
        ends = [text.rfind("\n") + 1 or text.rfind(" ") + 1 or len(text)]
    return [text[start:end] for start, end in pairwise((0, *ends, len(text)))]
