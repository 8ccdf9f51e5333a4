"""Stops a bad deploy, or the bad records of one sender, from draining a topic into the dead
letters; for whom it is broken (docs/adr/0052).
"""

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from gyre_common.bus.delivery import Delivery

Party = bytes | tuple[str, int]
"""Whose records are counted together: a tenant's, or those of one partition of a topic."""

_SHARE_OF_ONE = 1 / 3
_MOST_PARTIES = 1_000


class Scope(StrEnum):
    """For whom a breaker is open."""

    TOPIC = "topic"
    PARTITION = "partition"
    TENANT = "tenant"


@dataclass(frozen=True)
class Objection:
    """Why one more record must not be parked. With `to_everybody` nobody's may be."""

    reason: str
    to_everybody: bool


class Breaker:
    """Counts the records that could not be handled, in a row and among the latest ones.

    Of each limit, one party may account for `share` at most.
    """

    def __init__(self, delivery: Delivery, *, share: float = 1.0) -> None:
        self.reason: str | None = None
        self._most_in_a_row = delivery.parked_streak
        self._most_in_window = delivery.parked_ratio * delivery.parked_window
        self._window = delivery.parked_window
        self._share = share
        self._streak = Counter[Party]()
        self._handled = 0
        self._parked_at: deque[tuple[int, Party]] = deque()

    @property
    def is_at_rest(self) -> bool:
        """Whether it is as a new one."""
        return not (self.reason or self._streak or self._parked_at)

    def open(self, reason: str) -> None:
        """Object to every record until one is handled well, as it did before a restart."""
        self.reason = reason

    def handled(self, count: int) -> None:
        """So many records were handled well."""
        self._streak.clear()
        self._handled += count
        if self.reason is not None:
            self.reason = None
            self._parked_at.clear()
        self._forget_old()

    def parked(self, party: Party) -> None:
        """A record was moved out of the way."""
        self._handled += 1
        self._streak[party] += 1
        self._parked_at.append((self._handled, party))

    def objection(self) -> str | None:
        """Why one more record must not be parked; None if it may be."""
        if self.reason is None:
            self.reason = self._too_many()
        return self.reason

    def _too_many(self) -> str | None:
        self._forget_old()
        if self._counted(self._streak, self._most_in_a_row) >= self._most_in_a_row:
            return f"{self._streak.total()} records in a row could not be handled"
        parked = Counter(party for _, party in self._parked_at)
        if self._counted(parked, self._most_in_window) >= self._most_in_window:
            return f"{parked.total()} of the last {self._window} records could not be handled"
        return None

    def _counted(self, parked: Counter[Party], limit: float) -> float:
        most_of_one = limit if self._share == 1 else min(ceil(limit * self._share), limit - 1)
        return sum(min(count, most_of_one) for count in parked.values())

    def _forget_old(self) -> None:
        while self._parked_at and self._parked_at[0][0] <= self._handled + 1 - self._window:
            self._parked_at.popleft()


class Breakers:
    """Those of one subscription: one for each party that fails, and one for everybody, which opens
    once several parties fail, so that none of them can be the cause.

    `is_watching`: records that are handled well make a difference.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._everybody = Breaker(delivery, share=_SHARE_OF_ONE)
        self._parties: dict[Party, Breaker] = {}
        self.is_watching = False

    def open(self, reason: str, party: Party | None) -> None:
        """Object to every record of this party, of everybody's with None, until one is handled
        well, as it did before a restart.
        """
        self.is_watching = True
        (self._everybody if party is None else self._of(party)).open(reason)

    def handled(self, party: Party, count: int) -> None:
        """So many of its records were handled well."""
        self._everybody.handled(count)
        breaker = self._parties.get(party)
        if breaker is not None:
            breaker.handled(count)
            if breaker.is_at_rest:
                del self._parties[party]
        self.is_watching = bool(self._parties) or not self._everybody.is_at_rest

    def objection(self, party: Party) -> Objection | None:
        """Why one more of its records must not be parked; None if it may be, and then it is
        counted.
        """
        self.is_watching = True
        breaker = self._of(party)
        if (reason := self._everybody.objection()) is not None:
            return Objection(reason, to_everybody=True)
        if (reason := breaker.objection()) is not None:
            return Objection(reason, to_everybody=False)
        for each in (breaker, self._everybody):
            each.parked(party)
        return None

    def _of(self, party: Party) -> Breaker:
        breaker = self._parties.get(party)
        if breaker is None:
            if len(self._parties) >= _MOST_PARTIES:
                closed = (each for each, its in self._parties.items() if its.reason is None)
                self._parties.pop(next(closed, party), None)
            breaker = self._parties[party] = Breaker(self._delivery)
        return breaker
