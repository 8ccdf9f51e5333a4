"""Stops a bad deploy from draining a topic into the dead letters."""

from collections import deque

from gyre_common.bus.delivery import Delivery


class Breaker:
    """Counts the dead letters of one subscription, in a row and among the latest records."""

    def __init__(self, delivery: Delivery) -> None:
        self._most_in_a_row = delivery.parked_streak
        self._most_in_window = delivery.parked_ratio * delivery.parked_window
        self._window = delivery.parked_window
        self._reason: str | None = None
        self._streak = 0
        self._handled = 0
        self._parked_at: deque[int] = deque()

    def open(self, reason: str) -> None:
        """Object to every record until one is handled well, as it did before a restart."""
        self._reason = reason

    def handled(self, count: int) -> None:
        """So many records were handled well."""
        self._streak = 0
        self._handled += count
        if self._reason is not None:
            self._reason = None
            self._parked_at.clear()

    def objection(self) -> str | None:
        """Why one more record must not be parked; None if it may be, and then it is counted."""
        if self._reason is None:
            self._reason = self._too_many()
        if self._reason is None:
            self._streak += 1
            self._parked_at.append(self._handled)
        return self._reason

    def _too_many(self) -> str | None:
        self._handled += 1
        while self._parked_at and self._parked_at[0] <= self._handled - self._window:
            self._parked_at.popleft()
        if self._streak >= self._most_in_a_row:
            return f"{self._streak} records in a row could not be handled"
        if len(self._parked_at) >= self._most_in_window:
            return f"{len(self._parked_at)} of the last {self._window} records could not be handled"
        return None
