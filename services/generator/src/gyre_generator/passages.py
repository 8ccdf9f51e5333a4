"""The passages an answer is made from, and how many tokens text takes."""

from gyre_common.events.interactions import RetrievedChunk
from gyre_common.passages import context_line


class RetrievedPassage(RetrievedChunk):
    """A retrieved chunk as it was read, and its place in its document.

    An `explored` one is only shown, so that people can vote on it: answers never rest on it.
    """

    score: float = 0.0
    revision: int = 0
    ordinal: int = 0

    @property
    def heading(self) -> str:
        """Where in its document the passage stands, as a reader would say it."""
        return context_line(self.title, self.heading_path)


_TOKENS_PER_PASSAGE = 12  # its number, heading and separators


def estimated_cost(passage: RetrievedPassage) -> int:
    """Tokens that a passage takes in a prompt."""
    return _TOKENS_PER_PASSAGE + estimated_tokens(f"{passage.heading}\n{passage.text}")


def estimated_tokens(text: str) -> int:
    """A quarter of the UTF-8 bytes, rounded up: near what byte-pair encoders make of English prose,
    too high rather than too low for other scripts.
    """
    return -(-len(text.encode("utf-8", "replace")) // 4)
