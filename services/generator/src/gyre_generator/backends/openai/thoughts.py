"""Takes what a model thinks aloud before its answer out of a text that arrives in pieces."""

_OPEN, _CLOSE = "<think>", "</think>"


class ThoughtFilter:
    """`<think>…</think>` is taken out where the text begins with it; pieces may end anywhere. Where
    the prompt of a model ends with `<think>`, its text has `begun` inside, and names the end alone.
    """

    def __init__(self, *, begun: bool = False) -> None:
        self._held = ""
        self._is_thinking = begun
        self._is_past = False

    def feed(self, piece: str, *, final: bool = False) -> str:
        """The text that is sure to be part of the answer: all that is left with the `final` piece.
        A thought that never ends leaves nothing.
        """
        if self._is_past:
            return piece
        self._held += piece
        if not self._is_thinking:
            opening = self._held.lstrip()
            if _OPEN.startswith(opening[: len(_OPEN)]) and len(opening) < len(_OPEN) and not final:
                return ""
            if not opening.startswith(_OPEN):
                self._is_past = True
                return self._held
            self._is_thinking, self._held = True, opening[len(_OPEN) :]
        thought, close, answer = self._held.partition(_CLOSE)
        if not close:
            self._held = thought[1 - len(_CLOSE) :]
            return ""
        self._is_past = True
        return answer.lstrip()
