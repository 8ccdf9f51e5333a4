"""Decides on releases: one change at a time, true for nobody before it is safe on the topic."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gyre_common.errors import Conflict, FailedPrecondition, InvalidInput, NotFound, Unavailable
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.events.training import TrainingFinished
from gyre_common.lines import check_line
from gyre_common.signature import Signature

from gyre_releases.book import Changes, ReleaseBook, ShippedArtifacts
from gyre_releases.encoder_trial import EncoderProbe, try_encoder
from gyre_releases.settings_only import NewSettings, settings_version

log = logging.getLogger(__name__)

MAX_ACTOR_CHARACTERS = 256
MAX_REASON_CHARACTERS = 1024

_ENCODERS = (Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER)


class ReleaseLog(Protocol):
    """Where releases stand. Of all who opened it, only the last one can write."""

    async def open(self) -> Sequence[ReleaseChanged]:
        """Keep everybody else from writing and read what stands, oldest first.

        A change that an earlier writer left half done is undone or finished before this returns.

        Raises:
            Unavailable: the log cannot be reached.
        """

    async def append(self, changes: Changes) -> None:
        """Write all of them or none; return once they are safe.

        Raises:
            Superseded: another writer has taken over; nothing was written.
            Unavailable: whether they are there is not known until the log is opened again.
        """


@dataclass(frozen=True)
class ReleaseScope:
    """Whose release is meant: what a request names, and who sent it.

    Empty: the caller's own where there is one, else the default of all tenants.
    """

    caller: str
    requested: str = ""


ALL_TENANTS = ReleaseScope(EVERY_TENANT, EVERY_TENANT)


class ReleaseController:
    """The only writer of releases.

    After an append whose outcome is unknown it reads the log again before it does anything else,
    so that its answers never rest on a guess.
    """

    def __init__(
        self,
        releases: ReleaseLog,
        book: ReleaseBook,
        encoders: EncoderProbe,
        *,
        patience_seconds: float = 5.0,
    ) -> None:
        self._log = releases
        self._book = book
        self._encoders = encoders
        self._patience = patience_seconds
        self._lock = asyncio.Lock()
        self._log_is_read = False

    async def start(self, shipped: ShippedArtifacts, by: Signature) -> None:
        """Read what stands and register the versions that came with the program."""
        async with self._lock:
            await self._read_if_needed()
            for name in self._book.altered_versions(shipped):
                log.error(
                    "a registered version was altered; the registered one stands",
                    extra={"version": name, "fix": "give the new content a new version"},
                )
            await self._write(self._book.ship(shipped, by))

    async def releases(
        self, role: str = "", *, scope: ReleaseScope = ALL_TENANTS
    ) -> Sequence[ReleaseChanged]:
        """Every role, or the one named.

        Raises:
            InvalidInput: another tenant's are requested.
            NotFound: there is no such role.
            Unavailable: the log has to be read again first, and cannot be.
        """
        async with self._lock:
            await self._read_if_needed()
            # Without a state of its own a tenant has the default's, so asking for either is one.
            requested = scope.requested or scope.caller
            tenant = self._book.tenant_of(role, requested=requested, caller=scope.caller)
            return [self._book.release(role, tenant)] if role else self._book.releases(tenant)

    async def state(self, tenant: str, role: str) -> ReleaseChanged:
        """One role as a tenant has it. Raises as `releases`."""
        (release,) = await self.releases(role, scope=ReleaseScope(tenant))
        return release

    async def version(
        self, role: str, version: str, *, scope: ReleaseScope = ALL_TENANTS
    ) -> tuple[Artifact, bool]:
        """A registered version, and whether it is live. Raises as `releases`, NotFound too where
        it is not registered.
        """
        (release,) = await self.releases(role, scope=scope)
        artifact = release.artifact(version)
        if artifact is None:
            names = ", ".join(known.version for known in release.artifacts)
            raise NotFound(f"{role} has no version {version}: registered are {names}")
        return artifact, release.live == version

    async def register(
        self, role: str, artifact: Artifact, by: Signature, *, scope: ReleaseScope = ALL_TENANTS
    ) -> ReleaseChanged:
        """Make a version known to a tenant, or to all; one that is known already changes nothing.

        Raises:
            NotFound, FailedPrecondition, InvalidInput: nothing was written.
            Unavailable: it may or may not have happened; do it again.
        """
        _check(by)
        async with self._lock:
            await self._read_if_needed()
            tenant = self._book.tenant_of(role, requested=scope.requested, caller=scope.caller)
            await self._write(self._book.register(tenant, role, artifact, by))
            return self._book.release(role, tenant)

    async def register_settings(
        self, new: NewSettings, *, by: Signature, scope: ReleaseScope = ALL_TENANTS
    ) -> ReleaseChanged:
        """Make a version known that is defined by its settings alone. Raises as `register`."""
        _check(by)
        async with self._lock:
            await self._read_if_needed()
            tenant = self._book.tenant_of(new.role, requested=scope.requested, caller=scope.caller)
            artifact = settings_version(self._book.release(new.role, tenant), new, self._book.now())
            await self._write(self._book.register(tenant, new.role, artifact, by))
            return self._book.release(new.role, tenant)

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

        Encoders are tried at the embedder first, while others may change releases: who comes second
        gets a Conflict.

        Raises:
            InvalidInput, NotFound, Conflict, FailedPrecondition: nothing was written.
            Unavailable: the embedder is away, and nothing was written; or it may or may not have
                happened, look at the releases before trying again.
        """
        _check(by, expected_generation, override=override)
        async with self._lock:
            await self._read_if_needed()
            tenant = self._book.tenant_of(role, requested=scope.requested, caller=scope.caller)
            generation = self._book.release(role, tenant).generation

        def plan() -> Changes:
            return self._book.promote(
                role,
                version,
                expected_generation=expected_generation or generation,
                by=by,
                tenant=tenant,
                override=override,
            )

        await self._write_after_trial(plan)
        return await self.state(tenant, role)

    async def apply_verdict(self, event: TrainingFinished) -> Changes:
        """Record the verdict of a run and release what passed, once: nothing when that was done
        before, when the run was not judged, or when its version is no longer kept.

        Encoders are tried first, as `promote` does; one that is refused is not released.

        Raises:
            FailedPrecondition, InvalidInput: this verdict can never be applied.
            Unavailable: the embedder is away, or it may or may not have happened: apply it again.
        """
        candidate, verdict = event.candidate, event.verdict
        if candidate is None or verdict is None:
            return ()
        refusal, tried_encoders = "", set[tuple[str, str]]()
        while True:
            async with self._lock:
                await self._read_if_needed()
                try:
                    changes = self._book.apply_verdict(event, candidate, verdict, refusal=refusal)
                except NotFound as error:
                    # Old verdicts are read again where the group's offsets are lost.
                    log.error(
                        "verdict passed over", extra={"run": str(event.run_id), "cause": str(error)}
                    )
                    return ()
                untried_encoders = self._new_encoders(changes) - tried_encoders
                if not untried_encoders:
                    await self._write(changes)
                    return changes
            for role, version in sorted(untried_encoders):
                try:
                    await try_encoder(self._encoders, role, version, patience=self._patience)
                except FailedPrecondition as error:
                    refusal = str(error)
            tried_encoders |= untried_encoders

    async def rollback(
        self,
        role: str,
        *,
        expected_generation: int,
        by: Signature,
        scope: ReleaseScope = ALL_TENANTS,
    ) -> ReleaseChanged:
        """Make the version live that was live before, asking nobody.

        Raises:
            InvalidInput, NotFound, Conflict, FailedPrecondition: nothing was written.
            Unavailable: it may or may not have happened; look at the releases before trying again.
        """
        _check(by, expected_generation)
        async with self._lock:
            await self._read_if_needed()
            tenant = self._book.tenant_of(role, requested=scope.requested, caller=scope.caller)
            await self._write(
                self._book.rollback(
                    role, expected_generation=expected_generation, by=by, tenant=tenant
                )
            )
            return self._book.release(role, tenant)

    async def _write_after_trial(self, plan: Callable[[], Changes]) -> Changes:
        """The embedder may take its time, so nobody waits for it meanwhile."""
        async with self._lock:
            await self._read_if_needed()
            encoders = self._new_encoders(plan())
        for role, version in sorted(encoders):
            await try_encoder(self._encoders, role, version, patience=self._patience)
        async with self._lock:
            await self._read_if_needed()
            changes = plan()
            if not self._new_encoders(changes) <= encoders:
                raise Conflict(
                    "other encoders would go live by now than those that were tried: look at the "
                    "releases and try again"
                )
            await self._write(changes)
            return changes

    def _new_encoders(self, changes: Changes) -> set[tuple[str, str]]:
        return {
            (change.role, change.live)
            for change in changes
            if change.role in _ENCODERS
            and self._book.release(change.role, change.tenant).live != change.live
        }

    async def _read_if_needed(self) -> None:
        if not self._log_is_read:
            self._book.apply(await self._log.open())
            self._log_is_read = True

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
        _log_changes(changes)


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


def _log_changes(changes: Iterable[ReleaseChanged]) -> None:
    for change in changes:
        log.info(
            "release changed",
            extra={
                "tenant": change.tenant,
                "role": change.role,
                "generation": change.generation,
                "live": change.live,
                "actor": change.actor,
                "reason": change.reason,
            },
        )
