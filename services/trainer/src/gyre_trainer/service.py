"""Decides on releases: one change at a time, true for nobody before it is safe on the topic."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from gyre_common.errors import InvalidInput, Unavailable
from gyre_common.events.releases import ReleaseChanged
from gyre_common.lines import check_line

from gyre_trainer.release_book import Changes, ReleaseBook, Shipped, Signature

log = logging.getLogger(__name__)

MAX_ACTOR_CHARACTERS = 256
MAX_REASON_CHARACTERS = 1024


class ReleaseLog(Protocol):
    """Where releases stand. Of all who opened it, only the last one can write."""

    async def open(self) -> Sequence[ReleaseChanged]:
        """Take the pen from everybody else and read what stands, oldest first.

        A change that an earlier writer left half done is undone or finished before this returns.

        Raises:
            Unavailable: the log cannot be reached.
        """

    async def append(self, changes: Changes) -> None:
        """Write all of them or none; return once they are safe.

        Raises:
            Superseded: another writer has taken the pen; nothing was written.
            Unavailable: whether they are there is not known until the log is opened again.
        """


class ReleaseController:
    """The only writer of releases.

    After an append whose outcome is unknown it reads the log again before it does anything else,
    so that its answers never rest on a guess.
    """

    def __init__(self, releases: ReleaseLog, book: ReleaseBook) -> None:
        self._log = releases
        self._book = book
        self._one_at_a_time = asyncio.Lock()
        self._sure = False

    async def start(self, shipped: Shipped, by: Signature) -> None:
        """Read what stands and register the versions that came with the program."""
        async with self._one_at_a_time:
            await self._make_sure()
            for name in self._book.altered(shipped):
                log.error(
                    "a registered version was altered; the registered one stands",
                    extra={"version": name, "fix": "give the new content a new version"},
                )
            await self._write(self._book.register(shipped, by))

    async def releases(self, role: str = "") -> Sequence[ReleaseChanged]:
        """Every role, or the one asked for.

        Raises:
            NotFound: there is no such role.
            Unavailable: the log has to be read again first, and cannot be.
        """
        async with self._one_at_a_time:
            await self._make_sure()
            return [self._book.release(role)] if role else self._book.releases()

    async def promote(
        self, role: str, version: str, *, expected_generation: int, by: Signature
    ) -> ReleaseChanged:
        """Make a registered version live; one that is live already changes nothing.

        Raises:
            InvalidInput, NotFound, Conflict, FailedPrecondition: nothing was written.
            Unavailable: it may or may not have happened; look at the releases before trying again.
        """
        _check(expected_generation, by)
        async with self._one_at_a_time:
            await self._make_sure()
            await self._write(
                self._book.promote(role, version, expected_generation=expected_generation, by=by)
            )
            return self._book.release(role)

    async def rollback(
        self, role: str, *, expected_generation: int, by: Signature
    ) -> ReleaseChanged:
        """Make the version live that was live before. Raises as `promote` does."""
        _check(expected_generation, by)
        async with self._one_at_a_time:
            await self._make_sure()
            await self._write(
                self._book.rollback(role, expected_generation=expected_generation, by=by)
            )
            return self._book.release(role)

    async def _make_sure(self) -> None:
        if not self._sure:
            self._book.apply(await self._log.open())
            self._sure = True

    async def _write(self, changes: Changes) -> None:
        if not changes:
            return
        self._sure = False  # also when cancelled half-way
        try:
            await self._log.append(changes)
        except Unavailable as error:
            raise Unavailable(
                f"the change to {changes[0].role} was not confirmed and may or may not have "
                f"happened: list the releases before you try again ({error})"
            ) from error
        self._sure = True
        self._book.apply(changes)
        _tell(changes)


def _check(expected_generation: int, by: Signature) -> None:
    if expected_generation < 0:
        raise InvalidInput(
            "expected_generation", "is negative", "send the generation you saw, or 0 for any"
        )
    if not by.actor.strip():
        raise InvalidInput("actor", "is missing", "say who asks for the change")
    check_line("actor", by.actor, most=MAX_ACTOR_CHARACTERS)
    check_line("reason", by.reason, most=MAX_REASON_CHARACTERS)


def _tell(changes: Iterable[ReleaseChanged]) -> None:
    for change in changes:
        log.info(
            "release changed",
            extra={
                "role": change.role,
                "generation": change.generation,
                "live": change.live,
                "actor": change.actor,
                "reason": change.reason,
            },
        )
