"""What segments are called on the shelf, and what the names alone tell."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"(?P<place>.+/\d+)/(?P<first>\d{12,})-(?P<last>\d{12,})\.parquet")


@dataclass(frozen=True, order=True)
class Segment:
    """The rows of `place` (`topic/partition`) from offset `first` to offset `last`."""

    place: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """What it is called on the shelf."""
        return f"{self.place}/{self.first:012d}-{self.last:012d}.parquet"

    @property
    def width(self) -> int:
        """Rows, at most."""
        return self.last - self.first + 1

    def covers(self, other: "Segment") -> bool:
        """Tell whether the other one lies within this one."""
        return self != other and self.first <= other.first and other.last <= self.last


def segments_of(names: Iterable[str]) -> list[Segment]:
    """The segments among the names."""
    matches = filter(None, map(_NAME.fullmatch, names))
    return [Segment(m["place"], int(m["first"]), int(m["last"])) for m in matches]


def end_of(segments: Iterable[Segment]) -> int:
    """The offset behind the last one; 0 where there is none."""
    return max((segment.last + 1 for segment in segments), default=0)


def without_covered(segments: Iterable[Segment]) -> list[Segment]:
    """Those that lie in no other one."""
    remaining: list[Segment] = []
    for segment in sorted(segments, key=lambda one: (one.first, -one.last)):
        if not remaining or segment.last > remaining[-1].last:
            remaining.append(segment)
    return remaining
