"""Decides on releases: one change at a time, true for nobody before it is safe on the topic."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from gyre_common.context import request_context, use_context
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Unavailable
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.events.training import TrainingFinished
from gyre_common.lines import check_line
from gyre_common.signature import Signature

from gyre_releases.book import ReleaseBook, ShippedArtifacts
from gyre_releases.draft import Changes
from gyre_releases.scope import ALL_TENANTS, ReleaseScope
from gyre_releases.settings_only import NewSettings, settings_version
from gyre_releases.verdicts import JudgedRun
from gyre_releases.version_trial import Probes, try_version
from gyre_releases.versions import registered_version

log = logging.getLogger(__name__)

MAX_ACTOR_CHARACTERS = 256
MAX_REASON_CHARACTERS = 1024


class ReleaseLog(Protocol):
    """Where releases stand. Of all who opened it, only the last one can write."""

    async def open(self) -> Sequence[ReleaseChanged]:
        """Keep everybody else from writing and read what stands, oldest first. A change that an
        earlier writer left half done is undone or finished. Raises Unavailable.
        """

    async def append(self, changes: Changes) -> None:
        """Write all of them or none; return once they are safe.

        Raises:
            Superseded: another writer has taken over; nothing was written.
            Unavailable: whether they are there is not known until the log is opened again.
        """


class ReleaseController:
    """The only writer of releases.

    After an append whose outcome is unknown it reads the log again before it does anything else,
    so that its answers never rest on a guess.

    Raises, from every method: InvalidInput where a field cannot work or another tenant is meant,
    or none by a change; PermissionDenied where it is the default and not open to the caller;
    NotFound where there is no such role or version, Conflict, FailedPrecondition as `ReleaseBook`
    says: nothing was written. Unavailable: the log or who tries a version is away, and a change may
    or may not have happened: look at the releases before trying again.
    """

    def __init__(
        self,
        releases: ReleaseLog,
        book: ReleaseBook,
        probes: Probes,
        *,
        patience_seconds: float = 5.0,
    ) -> None:
        self._log = releases
        self._book = book
        self._probes = probes
        self._patience = patience_seconds
        self._lock = asyncio.Lock()
        self._log_is_read = False

    async def start(self, shipped: ShippedArtifacts, by: Signature) -> None:
        """Read what stands and register the versions that came with the program."""
        async with self._locked_book() as book:
            for name in book.altered_versions(shipped):
                log.error(
                    "a registered version was altered; the registered one stands",
                    extra={"version": name, "fix": "give the new content a new version"},
                )
            await self._write(book.ship(shipped, by))

    async def releases(
        self, role: str = "", *, scope: ReleaseScope = ALL_TENANTS
    ) -> Sequence[ReleaseChanged]:
        """Every role, or the one named."""
        async with self._locked_book() as book:
            # Without a state of its own a tenant has the default's, so asking for either is one.
            either = ReleaseScope(scope.caller, scope.requested or scope.caller)
            tenant = book.tenant_of(role, either)
            return [book.release(role, tenant)] if role else book.releases(tenant)

    async def state(self, tenant: str, role: str) -> ReleaseChanged:
        """One role as a tenant has it."""
        (release,) = await self.releases(role, scope=ReleaseScope(tenant))
        return release

    async def version(
        self, role: str, version: str, *, scope: ReleaseScope = ALL_TENANTS
    ) -> tuple[Artifact, bool]:
        """A registered version, and whether it is live. Raises InvalidInput without a role."""
        if not role:
            raise InvalidInput("role", "is empty", "name the version's role")
        (release,) = await self.releases(role, scope=scope)
        return registered_version(release, version), release.live == version

    async def register(
        self, role: str, artifact: Artifact, by: Signature, *, scope: ReleaseScope = ALL_TENANTS
    ) -> ReleaseChanged:
        """Make a version known to a tenant, or to all; one that is known changes nothing."""
        _check(by)
        async with self._locked_book() as book:
            tenant = book.owner_of(role, artifact, scope)
            await self._write(book.register(tenant, role, artifact, by))
            return book.release(role, tenant)

    async def register_settings(
        self, new: NewSettings, *, by: Signature, scope: ReleaseScope = ALL_TENANTS
    ) -> ReleaseChanged:
        """Make a version known that is defined by its settings alone."""
        _check(by)
        async with self._locked_book() as book:
            tenant = book.tenant_of(new.role, scope)
            artifact = settings_version(book.release(new.role, tenant), new, book.now())
            tenant = book.owner_of(new.role, artifact, scope)
            await self._write(book.register(tenant, new.role, artifact, by))
            return book.release(new.role, tenant)

    async def remove(
        self, role: str, version: str, *, by: Signature, scope: ReleaseScope = ALL_TENANTS
    ) -> ReleaseChanged:
        """Make a version unknown to a tenant, or to all; its files stay where they are."""
        _check(by)
        async with self._locked_book() as book:
            tenant = scope.tenant_to_change()
            await self._write(book.remove(tenant, role, version, by))
            return book.release(role, tenant)

    async def promote(
        self,
        role: str,
        version: str,
        *,
        expected_generation: int,
        by: Signature,
        scope: ReleaseScope = ALL_TENANTS,
        override: bool = False,
    ) -> ReleaseChanged:
        """Make a registered version live; one that is live already changes nothing.

        Encoders and generators are tried where they serve first, while others may change releases:
        who comes second gets a Conflict.
        """
        _check(by, expected_generation, override=override)
        async with self._locked_book() as book:
            tenant = scope.tenant_to_change()
            generation = expected_generation or book.release(role, tenant).generation

        def plan(refusal: str) -> Changes:
            if refusal:
                raise FailedPrecondition(refusal)
            return self._book.promote(
                role,
                version,
                expected_generation=generation,
                by=by,
                tenant=tenant,
                override=override,
            )

        await self._write_after_trial(plan)
        return await self.state(tenant, role)

    async def apply_verdict(self, event: TrainingFinished) -> Changes:
        """Record the verdict of a run and release what passed, once: nothing when that was done
        before, when the run was not judged, or when its version is no longer kept.

        Versions are tried first, as `promote` does; one that is refused is not released. A verdict
        that is refused with FailedPrecondition or InvalidInput can never be applied.
        """
        run = JudgedRun.of(event)

        def plan(refusal: str) -> Changes:
            try:
                return self._book.apply_verdict(run, refusal=refusal) if run else ()
            except NotFound as error:
                # Old verdicts are read again where the group's offsets are lost.
                about = {"run": str(event.run_id), "cause": str(error)}
                log.error("verdict passed over", extra=about)
                return ()

        return await self._write_after_trial(plan)

    async def set_shadow(
        self,
        role: str,
        version: str,
        *,
        expected_generation: int,
        by: Signature,
        scope: ReleaseScope = ALL_TENANTS,
    ) -> ReleaseChanged:
        """Make a registered version the shadow of its role, or none. It is tried where it serves
        first.
        """
        _check(by, expected_generation)
        tenant = scope.tenant_to_change()
        if version and role in self._probes:
            await self.version(role, version, scope=scope)
            await self._try(tenant, role, version)
        async with self._locked_book() as book:
            changes = book.shadow(
                role, version, expected_generation=expected_generation, by=by, tenant=tenant
            )
            await self._write(changes)
            return book.release(role, tenant)

    async def rollback(
        self,
        role: str,
        *,
        expected_generation: int,
        by: Signature,
        scope: ReleaseScope = ALL_TENANTS,
    ) -> ReleaseChanged:
        """Make the version live that was live before, asking nobody."""
        _check(by, expected_generation)
        async with self._locked_book() as book:
            tenant = scope.tenant_to_change()
            changes = book.rollback(
                role, expected_generation=expected_generation, by=by, tenant=tenant
            )
            await self._write(changes)
            return book.release(role, tenant)

    async def _write_after_trial(self, plan: Callable[[str], Changes]) -> Changes:
        """Write what is planned once each version in it that has a probe was tried. That may take
        its time, so nobody waits for it meanwhile, and the plan is made anew afterwards; it hears
        why a version was refused.
        """
        refusal, tried = "", set[tuple[str, str]]()
        while True:
            async with self._locked_book() as book:
                changes = plan(refusal)
                new = self._new_versions(book, changes)
                untried = new.keys() - tried
                if not untried:
                    await self._write(changes)
                    return changes
            for role, version in sorted(untried):
                try:
                    await self._try(new[role, version], role, version)
                except FailedPrecondition as error:
                    refusal = str(error)
            tried |= untried

    async def _try(self, tenant: str, role: str, version: str) -> None:
        """On behalf of whose version it is: nobody else may ask for it."""
        caller = request_context()
        own = caller if tenant == EVERY_TENANT else replace(caller, tenant=tenant)
        with use_context(own):
            await try_version(self._probes[role], role, version, patience=self._patience)

    def _new_versions(self, book: ReleaseBook, changes: Changes) -> dict[tuple[str, str], str]:
        """What is to go live, by role and version, each with a tenant that has it."""
        return {
            (change.role, change.live): change.tenant
            for change in changes
            if change.role in self._probes
            and book.release(change.role, change.tenant).live != change.live
        }

    @asynccontextmanager
    async def _locked_book(self) -> AsyncIterator[ReleaseBook]:
        """What stands on the log for sure; nobody else changes it meanwhile."""
        async with self._lock:
            if not self._log_is_read:
                self._book.apply(await self._log.open())
                self._log_is_read = True
            yield self._book

    async def _write(self, changes: Changes) -> None:
        if not changes:
            return
        self._log_is_read = False  # also when cancelled half-way
        try:
            await self._log.append(changes)
        except Unavailable as error:
            raise Unavailable(
                f"the change to {changes[0].role} was not confirmed and may or may not have "
                f"happened: list the releases before you try again ({error})"
            ) from error
        self._log_is_read = True
        self._book.apply(changes)
        for change in changes:
            fields = {"tenant", "role", "generation", "live", "actor", "reason"}
            log.info("release changed", extra=change.model_dump(include=fields))


def _check(by: Signature, expected_generation: int = 0, *, override: bool = False) -> None:
    if expected_generation < 0:
        raise InvalidInput(
            "expected_generation", "is negative", "send the generation you saw, or 0 for any"
        )
    if not by.actor.strip():
        raise InvalidInput("actor", "is missing", "say who asks for the change")
    check_line("actor", by.actor, most=MAX_ACTOR_CHARACTERS)
    check_line("reason", by.reason, most=MAX_REASON_CHARACTERS)
    if override and not by.reason.strip():
        raise InvalidInput(
            "reason", "is missing", "say why a version that no gate let pass should go live"
        )
