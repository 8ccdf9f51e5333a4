"""Tells when a text has begun to repeat itself and will not end."""

LEAST_CHARACTERS = 400
LEAST_TIMES = 4
"""So often the same must stand at the end, and be so long in all: tables and lists do not."""

_WINDOW = 2_400
_EVERY = 200


class RepetitionWatch:
    """Looks at the end of a growing text, in time that is linear in it."""

    def __init__(self) -> None:
        self._tail = ""
        self._unseen = 0

    def feed(self, piece: str) -> bool:
        """Whether the text, with this piece, ends with the same again and again."""
        self._tail = (self._tail + piece)[-_WINDOW:]
        self._unseen += len(piece)
        if self._unseen < _EVERY:
            return False
        self._unseen = 0
        return ends_repeating(self._tail)


def ends_repeating(text: str) -> bool:
    """Whether a suffix is as long, and of as many equal parts, as the bounds say: its shortest
    period follows from the prefix function of the reversed text (Knuth, Morris and Pratt 1977).
    """
    backwards = text[::-1]
    borders = [0] * len(backwards)
    border = 0
    for at in range(1, len(backwards)):
        while border and backwards[at] != backwards[border]:
            border = borders[border - 1]
        border += backwards[at] == backwards[border]
        borders[at] = border
        length = at + 1
        if length >= LEAST_CHARACTERS and (length - border) * LEAST_TIMES <= length:
            return True
    return False
