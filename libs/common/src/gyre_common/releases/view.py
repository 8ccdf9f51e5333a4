"""What this process knows of the releases, and how a request's versions follow from it."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import xxhash

from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles, by_role
from gyre_common.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

OnChange = Callable[[ReleaseChanged], None]


class Arm(StrEnum):
    """Which side of a role's canary a request is on."""

    LIVE = "live"
    CANARY = "canary"


@dataclass(frozen=True)
class Resolved:
    """The version of every role for one request; `arms` holds only roles that have a canary."""

    versions: Mapping[str, str]
    arms: Mapping[str, str] = field(default_factory=dict)


class ReleaseView:
    """The newest state of every role, by tenant. A tenant without its own state has the default's.

    `gyre_common.releases.following.open_releases` keeps one up to date.
    """

    def __init__(self, required: Iterable[str] = ()) -> None:
        self._required = tuple(required)
        self._states: dict[str, ReleaseChanged] = {}
        self._callbacks: list[OnChange] = []
        self._changed = asyncio.Event()

    def apply(self, event: ReleaseChanged) -> None:
        """Take a change in, unless an equal or newer generation is known or it names no artifact.

        What was known before stays in force then.
        """
        key = by_role(event)
        known = self._states.get(key)
        if known is not None and event.generation <= known.generation:
            return
        named = (event.live, *((event.canary.version,) if event.canary else ()))
        missing = [version for version in named if event.artifact(version) is None]
        if missing:
            log.error("release names no artifact", extra={"release": key, "missing": missing})
            return
        self._states[key] = event
        if event.tenant == EVERY_TENANT:
            METRICS.release_generation.labels(event.role).set(event.generation)
        log.info(
            "release changed",
            extra={"release": key, "generation": event.generation, "live": event.live},
        )
        self._announce(event)

    def retire(self, key: str) -> None:
        """Forget a tenant's own state of a role. The default's is never forgotten."""
        if not key.startswith(f"{EVERY_TENANT}/") and self._states.pop(key, None) is not None:
            tenant_role = key.partition("/")[2]
            default = self._states.get(f"{EVERY_TENANT}/{tenant_role}")
            if default is not None:
                self._announce(default)

    def on_change(self, callback: OnChange) -> None:
        """Call this, in the event loop, with each new state. It must be quick and must not fail."""
        self._callbacks.append(callback)

    @property
    def missing(self) -> tuple[str, ...]:
        """The required roles without a live version."""
        return tuple(r for r in self._required if f"{EVERY_TENANT}/{r}" not in self._states)

    @property
    def states(self) -> tuple[ReleaseChanged, ...]:
        """The newest state of every role of every tenant, by key."""
        return tuple(state for _, state in sorted(self._states.items()))

    async def wait_until_complete(self) -> None:
        """Return once every required role has a live version."""
        while self.missing:
            self._changed.clear()
            await self._changed.wait()

    def state(self, tenant: str, role: str) -> ReleaseChanged:
        """The state of a role for a tenant; raises FailedPrecondition when there is none."""
        own = self._states.get(f"{tenant}/{role}")
        state = own or self._states.get(f"{EVERY_TENANT}/{role}")
        if state is None:
            raise FailedPrecondition(f"no version of {role} is live: does `releases` run?")
        return state

    def live(self, tenant: str, role: str) -> Artifact:
        """The live version; raises FailedPrecondition when there is none."""
        state = self.state(tenant, role)
        return self.artifact(role, state.live)

    def artifact(self, role: str, version: str) -> Artifact:
        """A registered version; raises FailedPrecondition when this process does not know it."""
        for state in self._states.values():
            if state.role == role and (artifact := state.artifact(version)) is not None:
                return artifact
        raise FailedPrecondition(f"{role} has no version {version} here (yet)")

    def resolve(self, tenant: str, sticky_key: str) -> Resolved:
        """Choose a version of every role; the same key gives the same choice.

        `sticky_key` is the conversation's id. A query encoder that does not fit the chosen document
        encoder gives way to the live one, and a retrieval version to one that fits the query
        encoder.
        """
        versions: dict[str, str] = {}
        arms: dict[str, str] = {}
        for role in sorted({state.role for state in self._states.values()}):
            try:
                state = self.state(tenant, role)
            except FailedPrecondition:
                continue  # Another tenant's own role.
            versions[role] = state.live
            if state.canary is not None:
                chosen = _share(f"{role}/{state.canary.version}/{sticky_key}") < state.canary.share
                arms[role] = Arm.CANARY if chosen else Arm.LIVE
                versions[role] = state.canary.version if chosen else state.live
        self._keep_encoders_together(tenant, versions, arms)
        self._keep_retrieval_fitting(tenant, versions, arms)
        return Resolved(versions, arms)

    def retrieval_for(self, tenant: str, query_encoder: str, wanted: str) -> str:
        """The retrieval version that goes with a query encoder: `wanted`, unless it was fitted to
        another one, or there is one that was fitted to this one, which is not live.

        Else the latest that was live and fits, then any that fits. `wanted`, where none does.
        """
        state = self.state(tenant, Roles.RETRIEVAL)
        order = dict.fromkeys((wanted, state.live, *state.history))
        order |= dict.fromkeys(each.version for each in reversed(state.artifacts))
        known = (state.artifact(version) for version in order)
        fits = {each.version: each.fits for each in known if each is not None}
        fits.setdefault(wanted, self.artifact(Roles.RETRIEVAL, wanted).fits)
        if query_encoder == self.state(tenant, Roles.QUERY_ENCODER).live and not fits[wanted]:
            return wanted
        fitted = (version for version in order if fits.get(version) == query_encoder)
        general = (version for version in order if version in fits and fits[version] is None)
        return next(fitted, next(general, wanted))

    def for_request(self, context: RequestContext, sticky_key: str) -> Resolved:
        """The versions that came with the request; resolved here if this is the first service.

        Raises:
            FailedPrecondition: the request names a version that only another tenant has.
        """
        if not context.versions:
            return self.resolve(context.tenant, sticky_key)
        for role, version in context.versions.items():
            owners = {
                s.tenant for s in self._states.values() if s.role == role and s.artifact(version)
            }
            if owners and not owners & {context.tenant, EVERY_TENANT}:
                raise FailedPrecondition(f"{role} has no version {version} here (yet)")
        return Resolved(context.versions)

    def _keep_encoders_together(
        self, tenant: str, versions: dict[str, str], arms: dict[str, str]
    ) -> None:
        query, document = Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER
        if query not in versions or document not in versions:
            return
        if self.artifact(query, versions[query]).fits in (None, versions[document]):
            return
        for role in (query, document):
            versions[role] = self.state(tenant, role).live
            if role in arms:
                arms[role] = Arm.LIVE

    def _keep_retrieval_fitting(
        self, tenant: str, versions: dict[str, str], arms: dict[str, str]
    ) -> None:
        query, retrieval = Roles.QUERY_ENCODER, Roles.RETRIEVAL
        if query not in versions or retrieval not in versions:
            return
        chosen = self.retrieval_for(tenant, versions[query], versions[retrieval])
        if chosen != versions[retrieval]:
            versions[retrieval] = chosen
            if retrieval in arms:
                arms[retrieval] = Arm.LIVE

    def _announce(self, event: ReleaseChanged) -> None:
        self._changed.set()
        for callback in self._callbacks:
            callback(event)


def _share(key: str) -> float:
    """A number in [0, 1) that follows from the key alone, evenly spread over keys."""
    return xxhash.xxh3_64_intdigest(key.encode()) / 2**64
