"""How much of a web site is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WebLimits:
    """Of one sync, but for `page_bytes` and `delay_seconds`."""

    pages: int
    depth: int
    page_bytes: int
    seconds: float
    delay_seconds: float
