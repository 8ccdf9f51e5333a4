"""What this process knows of the releases, and how a request's versions follow from it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import xxhash

from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Arm, Artifact, ReleaseChanged, Roles, by_role
from gyre_common.releases.fitting import (
    FITTED_ROLES,
    by_recency,
    fit_generator_and_prompt,
    fit_together,
    prompt_of,
)
from gyre_common.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

OnChange = Callable[[ReleaseChanged], None]


@dataclass(frozen=True)
class Resolved:
    """The version of every role for one request; `arms` holds only roles that have a canary."""

    versions: Mapping[str, str]
    arms: Mapping[str, str] = field(default_factory=dict)

    def without(self, roles: Collection[str]) -> Self:
        """The rest, where another service chooses for these roles."""
        versions = {role: each for role, each in self.versions.items() if role not in roles}
        arms = {role: each for role, each in self.arms.items() if role not in roles}
        return replace(self, versions=versions, arms=arms)

    def arms_with(self, served_versions: Mapping[str, str]) -> dict[str, str]:
        """The arms once it is known what served: none where that is not what was chosen."""
        return {
            role: arm
            for role, arm in self.arms.items()
            if role not in served_versions or served_versions[role] == self.versions.get(role)
        }


class ReleaseView:
    """The newest state of every role, by tenant. A tenant without its own state has the default's.

    `open_releases` keeps one up to date.
    """

    def __init__(self, required: Iterable[str] = ()) -> None:
        self._required = tuple(required)
        self._states: dict[str, ReleaseChanged] = {}
        self._callbacks: list[OnChange] = []
        self._changed = asyncio.Event()

    def apply(self, event: ReleaseChanged) -> None:
        """Take a change in, unless as new a generation is known or it names no artifact."""
        key = by_role(event)
        current = self._states.get(key)
        if current is not None and event.generation <= current.generation:
            return
        referenced = (event.live, *((event.canary.version,) if event.canary else ()))
        missing = [version for version in referenced if event.artifact(version) is None]
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
            default = self._states.get(f"{EVERY_TENANT}/{key.partition('/')[2]}")
            if default is not None:
                self._announce(default)

    def on_change(self, callback: OnChange) -> None:
        """Call this, in the event loop, with each new state. It must be quick and must not fail."""
        self._callbacks.append(callback)

    def _announce(self, event: ReleaseChanged) -> None:
        self._changed.set()
        for callback in self._callbacks:
            callback(event)

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
        state = self._state(tenant, role)
        if state is None:
            raise FailedPrecondition(f"no version of {role} is live: does `releases` run?")
        return state

    def live(self, tenant: str, role: str) -> Artifact:
        """The live version; raises FailedPrecondition when there is none."""
        return self.artifact(role, self.state(tenant, role).live)

    def artifact(self, role: str, version: str) -> Artifact:
        """A registered version; raises FailedPrecondition when this process does not know it."""
        artifact = self._find(role, version)
        if artifact is None:
            raise FailedPrecondition(_unknown(role, version))
        return artifact

    def named(self, tenant: str, role: str, version: str) -> Artifact:
        """The version that a request of this tenant names. Raises FailedPrecondition when this
        process does not know it, and alike when only another tenant has it.
        """
        artifact = self.artifact(role, version)
        if version not in self.versions(tenant, role):
            raise FailedPrecondition(_unknown(role, version))
        return artifact

    def versions(self, tenant: str, role: str) -> tuple[str, ...]:
        """The versions of a role that a request of this tenant may name, sorted."""
        owners = (tenant, EVERY_TENANT)
        states = (s for s in self._states.values() if s.role == role and s.tenant in owners)
        return tuple(sorted({artifact.version for state in states for artifact in state.artifacts}))

    def resolve(self, tenant: str, sticky_key: str) -> Resolved:
        """Choose a version of every role; the same key gives the same choice.

        `sticky_key` is the conversation's id. A canary that does not fit the other choices gives
        way to live.
        """
        states = self._states_of(tenant)
        canaries = {role: s.canary for role, s in states.items() if s.canary is not None}
        drawn = {
            role: canary.version
            for role, canary in canaries.items()
            if _share(f"{role}/{canary.version}/{sticky_key}") < canary.share
        }
        versions = self._fitting(states, drawn, requested={})
        arms = {
            role: Arm.CANARY if versions[role] == canary.version else Arm.LIVE
            for role, canary in canaries.items()
            if versions[role] in (canary.version, states[role].live)
        }
        return Resolved(versions, arms)

    def for_request(self, context: RequestContext, sticky_key: str) -> Resolved:
        """The versions and arms that came with the request, and live versions of other roles.

        Where none came, this is the first service that sees it, which resolves them.

        Raises:
            FailedPrecondition: the request names a version that only another tenant has, or a query
                encoder whose document encoder is not here (yet).
        """
        if not context.versions:
            return self.resolve(context.tenant, sticky_key)
        for role, version in context.versions.items():
            if self._find(role, version) is not None:  # else who has it may know it by now
                self.named(context.tenant, role, version)
        states = self._states_of(context.tenant)
        return Resolved(self._fitting(states, {}, requested=context.versions), context.arms)

    def _state(self, tenant: str, role: str) -> ReleaseChanged | None:
        return self._states.get(f"{tenant}/{role}") or self._states.get(f"{EVERY_TENANT}/{role}")

    def _states_of(self, tenant: str) -> dict[str, ReleaseChanged]:
        roles = sorted({state.role for state in self._states.values()})
        states = {role: self._state(tenant, role) for role in roles}
        return {role: state for role, state in states.items() if state is not None}

    def _find(self, role: str, version: str) -> Artifact | None:
        of_role = (state for state in self._states.values() if state.role == role)
        artifacts = (state.artifact(version) for state in of_role)
        return next((artifact for artifact in artifacts if artifact is not None), None)

    def _fitting(
        self,
        states: Mapping[str, ReleaseChanged],
        drawn: Mapping[str, str],
        *,
        requested: Mapping[str, str],
    ) -> dict[str, str]:
        """A version of every role: as requested, else as drawn where that fits, else live.

        What goes with a requested query encoder that is not known here is left to the service that
        knows it.
        """
        query, document = Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER
        live = {role: state.live for role, state in states.items()}
        versions = self._with_fitting_prompt(states, {**live, **drawn, **requested}, requested)
        candidates: dict[Roles, list[Artifact]] = {}
        for role in FITTED_ROLES:
            if role in states:
                other = () if role in requested else by_recency(states[role])
                artifacts = (self._find(role, versions[role]), *other)
                candidates[role] = [artifact for artifact in artifacts if artifact is not None]
        if not candidates.get(query) and query in requested:
            settled = {role for role in versions if role in requested or role not in FITTED_ROLES}
            return {role: versions[role] for role in versions if role in settled}
        if document in candidates and document not in requested:
            # Vectors of a query encoder only mean something beside those that it fits.
            encoder = self._find(query, {**live, **requested}.get(query, ""))
            fits = encoder.fits if encoder else None
            names = dict.fromkeys((versions[document], live[document], fits))
            candidates[document] = [self.artifact(document, name) for name in names if name]
        fitting = fit_together(candidates, settled={live.get(query, "")})
        return versions | {role: artifact.version for role, artifact in fitting.items()}

    def _with_fitting_prompt(
        self,
        states: Mapping[str, ReleaseChanged],
        versions: dict[str, str],
        requested: Mapping[str, str],
    ) -> dict[str, str]:
        """The prompt follows the generator; where only the prompt is requested, the generator does.

        Raises FailedPrecondition where none fits.
        """
        role, prompt = Roles.GENERATOR, Roles.ANSWER_PROMPT
        generator = self._find(role, versions.get(role, ""))
        if generator is None:
            return versions
        own, generators = prompt_of(generator), [generator]
        prompts = [versions[prompt]] if prompt in versions else []
        if prompt not in requested and own is not None:
            prompts.append(self.artifact(prompt, own).version)
        if prompt in requested and role not in requested:
            generators += by_recency(states[role])
        if not prompts:
            return versions
        pair = fit_generator_and_prompt(generators, prompts)
        if pair is None:
            raise FailedPrecondition(
                f"{role} {generator.version} was made for {prompt} {own}, not {requested[prompt]}: "
                f"ask for {own}, or for neither"
            )
        return {**versions, role: pair[0].version, prompt: pair[1]}


def _unknown(role: str, version: str) -> str:
    return f"{role} has no version {version} here (yet)"


def _share(key: str) -> float:
    """A number in [0, 1) that follows from the key alone, evenly spread over keys."""
    return xxhash.xxh3_64_intdigest(key.encode()) / 2**64
