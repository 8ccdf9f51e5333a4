"""Cuts an answer at the first stop string, and holds back what may become one."""

from collections.abc import Sequence


class StopStrings:
    """Text goes in as it comes; what is sure comes out. `is_stopped` once a stop string was met."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._tail = ""
        self.is_stopped = False

    def feed(self, text: str) -> str:
        """What may leave now: all in front of the first stop string."""
        if self.is_stopped:
            return ""
        self._tail += text
        at = min((i for stop in self._stops if (i := self._tail.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.is_stopped, sure, self._tail = True, self._tail[:at], ""
            return sure
        sure_end = len(self._tail) - self._held()
        sure, self._tail = self._tail[:sure_end], self._tail[sure_end:]
        return sure

    def rest(self) -> str:
        """What was held back, once nothing follows."""
        rest, self._tail = self._tail, ""
        return rest

    def _held(self) -> int:
        """Characters at the end with which a stop string may begin."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for size in range(min(longest, len(self._tail)), 0, -1):
            if any(stop.startswith(self._tail[-size:]) for stop in self._stops):
                return size
        return 0
