"""How large a record may be; what would be larger travels by reference."""

from gyre_common.errors import Poison
from gyre_common.events.topic import LARGEST_EVENT

LARGEST_FOREIGN_RECORD = 1024 * 1024
"""Bytes of a value that outside producers may send, after decompression: a larger event gets a
readable refusal."""


LARGEST_BATCH = 32 * 1024 * 1024
"""Bytes that one batch may hold after decompression; what lies behind them is not read."""


class RecordTooLarge(Poison):
    """An event is too large to publish, however often it is tried."""


def check_size(topic: str, value: bytes) -> None:
    """Raises: RecordTooLarge."""
    if len(value) > LARGEST_EVENT:
        raise RecordTooLarge(
            f"an event of {len(value)} bytes does not fit on {topic}, which takes "
            f"{LARGEST_EVENT}: put the large part in the store and send its reference and digest"
        )
