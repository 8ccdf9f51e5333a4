"""What a record that is sent to its topic again carries, so that it counts as what it was.

Its id, its time and its place in the order of its topic come from where it stood first: whoever
handled it then, or something newer meanwhile, is not disturbed (docs/adr/0050).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gyre_common.bus.envelope import text_header
from gyre_common.bus.record import RawRecord, event_id, moment

REPLAY_OF = "gyre-replay-of"
_LONGEST_PLACE = 320


@dataclass(frozen=True)
class Place:
    """Where a record stands, and its timestamp in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int


def replay_headers(origin: RawRecord) -> Sequence[tuple[str, bytes]]:
    """The record's own headers, byte for byte, and behind them what only its place said before."""
    headers = list(origin.headers)
    if not text_header(headers, "ce_id"):
        headers.append(("ce_id", str(event_id(origin)).encode()))
    if not text_header(headers, "ce_time"):
        headers.append(("ce_time", moment(origin.timestamp).isoformat().encode()))
    if _place(text_header(headers, REPLAY_OF)) is None:
        place = f"{origin.topic}/{origin.partition}/{origin.offset}/{origin.timestamp}"
        headers.append((REPLAY_OF, place.encode()))
    return headers


def first_place(raw: RawRecord) -> Place:
    """Where a record stood before it was sent again; its own place if it was not.

    Anybody may send that header, so only an earlier place of the same topic counts: who claims one
    loses against others, and never wins.
    """
    own = Place(raw.topic, raw.partition, raw.offset, raw.timestamp)
    claimed = _place(text_header(raw.headers, REPLAY_OF))
    if claimed is None or claimed.topic != own.topic or claimed.timestamp > own.timestamp:
        return own
    if claimed.partition == own.partition and claimed.offset >= own.offset:
        return own
    return claimed


def _place(text: str | None) -> Place | None:
    if text is None or len(text) > _LONGEST_PLACE:
        return None
    topic, *rest = text.split("/")
    numbers = [int(each) for each in rest if each.isascii() and each.isdigit()]
    if len(rest) != 3 or len(numbers) != 3:
        return None
    return Place(topic, *numbers)
