"""A window names the offsets that a data set is made of."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gyre_common.errors import InvalidInput

from gyre_trainer.segments.parquet import STREAMS

Window = Mapping[str, tuple[int, int]]
"""`topic/partition` → the first offset, and the one behind the last."""

_TOPICS = frozenset(stream.topic for stream in STREAMS)
_KNOWN = ", ".join(sorted(_TOPICS))


def validate_window(window: Mapping[str, Iterable[Any]]) -> dict[str, tuple[int, int]]:
    """The window, as it was read from JSON. Raises InvalidInput."""
    offsets = {}
    for place, bounds in sorted(window.items()):
        topic, _, number = place.rpartition("/")
        if topic not in _TOPICS or not re.fullmatch(r"0|[1-9]\d{0,8}", number):
            raise InvalidInput("window", f"names {place}", f"name TOPIC/PARTITION of {_KNOWN}")
        match tuple(bounds):
            case (int(first), int(end)) if 0 <= first <= end:
                offsets[place] = (first, end)
            case _:
                raise InvalidInput("window", f"has no range at {place}", "give [first, end)")
    return offsets


def partitions(window: Window) -> list[int]:
    """The numbers of the partitions that a window touches."""
    return sorted({int(place.rpartition("/")[2]) for place in window})


def window_as_text(window: Window) -> dict[str, str]:
    """The same as `topic/partition` → `first-end`, as events say it."""
    return {place: f"{first}-{end}" for place, (first, end) in sorted(window.items())}


def window_from_text(text: Mapping[str, str]) -> Window:
    """The way back from `window_as_text`. Raises InvalidInput."""
    return validate_window({place: list(map(int, ends.split("-"))) for place, ends in text.items()})
