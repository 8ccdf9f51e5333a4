"""A change of releases in the making: what would stand after it, and what the topic would say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gyre_common.errors import NotFound
from gyre_common.events.event import EVERY_TENANT, Version
from gyre_common.events.releases import Artifact, Evidence, ReleaseChanged
from gyre_common.signature import Signature

from gyre_releases.versions import artifacts_to_keep, has_served, is_proved

MAX_HISTORY = 50

Changes = tuple[ReleaseChanged, ...]
"""Facts that become true together, or not at all."""

States = Mapping[tuple[str, str], ReleaseChanged]
"""By tenant and role."""


def state_of(states: States, tenant: str, role: str) -> ReleaseChanged | None:
    """What holds for a tenant: its own state, else the default's."""
    return states.get((tenant, role)) or states.get((EVERY_TENANT, role))


class ReleaseDraft:
    """Reads as the states do after the change so far. Each role of a tenant is written once."""

    def __init__(self, before: States, by: Signature, at: datetime) -> None:
        self.before = before
        self._by = by
        self._at = at
        self._after: dict[tuple[str, str], ReleaseChanged] = {}

    @property
    def changes(self) -> Changes:
        """What to write, in the order in which it was decided."""
        return tuple(self._after.values())

    @property
    def tenants(self) -> list[str]:
        """Those with a state of their own, in order."""
        tenants = {tenant for tenant, _ in (*self.before, *self._after)}
        return sorted(tenants - {EVERY_TENANT})

    def state(self, tenant: str, role: str) -> ReleaseChanged | None:
        """What will hold for a tenant: its own state, else the default's."""
        return self.own(tenant, role) or self.own(EVERY_TENANT, role)

    def own(self, tenant: str, role: str) -> ReleaseChanged | None:
        """What a tenant's own state will be."""
        return self._after.get((tenant, role)) or self.before.get((tenant, role))

    def has_moved(self, tenant: str, role: str) -> bool:
        """Tell whether another version will be live for the tenant."""
        before = state_of(self.before, tenant, role)
        after = self.state(tenant, role)
        return after is not None and (before is None or before.live != after.live)

    def artifact(self, tenant: str, role: str, version: Version) -> Artifact:
        """A version that the tenant can have: registered for it, or for all. Raises NotFound."""
        states = [self.state(tenant, role), self.own(EVERY_TENANT, role)]
        known = [state for state in states if state is not None]
        for state in known:
            if (artifact := state.artifact(version)) is not None:
                return artifact
        names = dict.fromkeys(a.version for state in known for a in state.artifacts)
        raise NotFound(f"{role} has no version {version}: registered are {', '.join(names)}")

    def needs_override(self, tenant: str, role: str, version: Version) -> bool:
        """Tell whether nothing speaks for a version: no gate, and it never was live here."""
        states = (self.before.get((owner, role)) for owner in (tenant, EVERY_TENANT))
        proved = is_proved(self.artifact(tenant, role, version))
        return not proved and not any(has_served(state, version) for state in states)

    def add_role(self, role: str, artifact: Artifact) -> None:
        """A role that nobody had before goes live with its first version."""
        self._after[EVERY_TENANT, role] = ReleaseChanged(
            role=role,
            generation=1,
            live=artifact.version,
            artifacts=(artifact,),
            actor=self._by.actor,
            reason=self._by.reason or f"first version {artifact.version}",
            changed_at=self._at,
        )

    def put_artifact(self, tenant: str, role: str, artifact: Artifact, summary: str) -> None:
        """Add a version, or replace the same version with one that more is known of."""
        artifacts = {each.version: each for each in self.base(tenant, role).artifacts}
        artifacts[artifact.version] = artifact
        self._put(tenant, role, summary, artifacts=tuple(artifacts.values()))

    def remove_artifact(self, tenant: str, role: str, version: Version) -> None:
        """A version is not known any more."""
        artifacts = self.base(tenant, role).artifacts
        remaining = tuple(artifact for artifact in artifacts if artifact.version != version)
        self._put(tenant, role, f"removed {version}", artifacts=remaining)

    def set_shadow(self, tenant: str, role: str, version: Version | None) -> None:
        """Another version is tried beside the live one, or none."""
        summary = f"{version} is the shadow" if version else "no shadow any more"
        self._put(tenant, role, summary, shadow=version)

    def make_live(
        self, tenant: str, role: str, version: Version, summary: str, *, back: bool = False
    ) -> None:
        """Another version serves, on its evidence or somebody's override; `back` asks for none."""
        evidence: dict[str, str] = {}
        if not back:
            evidence |= self.artifact(tenant, role, version).evidence
            if self.needs_override(tenant, role, version):
                evidence[Evidence.OVERRIDE.value] = self._by.actor
                evidence[Evidence.WHY.value] = self._by.reason
        base = self.before.get((tenant, role)) or self.base(tenant, role)
        history = _history_after(base, version, back=back)
        self._serve(tenant, role, version, summary, history=history, evidence=evidence)

    def follow_default(self, tenant: str, change: ReleaseChanged) -> None:
        """What the default has now serves a tenant that never chose a version of its own."""
        summary = f"follows the default to {change.live}"
        role, evidence = change.role, change.evidence
        self._serve(tenant, role, change.live, summary, history=(), evidence=evidence)

    def _serve(
        self,
        tenant: str,
        role: str,
        version: Version,
        summary: str,
        *,
        history: tuple[Version, ...],
        evidence: Mapping[str, str],
    ) -> None:
        base = self.base(tenant, role)
        artifacts = base.artifacts
        if base.artifact(version) is None:
            artifacts = (*artifacts, self.artifact(tenant, role, version))
        self._put(
            tenant,
            role,
            summary,
            live=version,
            # Its index was filled beside the live one's: so is that one's now, for the way back.
            shadow=base.live if base.shadow == version else base.shadow,
            canary=None if base.canary and base.canary.version == version else base.canary,
            history=history[:MAX_HISTORY],
            artifacts=artifacts,
            evidence=dict(evidence),
        )

    def base(self, tenant: str, role: str) -> ReleaseChanged:
        """What a change starts from: a tenant's first own state from the default's, as it stood
        before the change.
        """
        own = self.own(tenant, role)
        if own is not None:
            return own
        default = self.before[EVERY_TENANT, role]
        fields = {"tenant": tenant, "generation": 0, "history": (), "shadow": None, "canary": None}
        return default.model_copy(update=fields)

    def _put(self, tenant: str, role: str, summary: str, **update: Any) -> None:
        before = self.before.get((tenant, role))
        changed = self.base(tenant, role).model_copy(
            update={
                "generation": (before.generation if before else 0) + 1,
                "actor": self._by.actor,
                "reason": self._by.reason or summary,
                "changed_at": self._at,
                **update,
            }
        )
        self._after[tenant, role] = changed.model_copy(
            update={"artifacts": artifacts_to_keep(changed, self.shared(tenant, role))}
        )

    def shared(self, tenant: str, role: str) -> frozenset[Version]:
        """Versions that a tenant has because all have them."""
        default = self.own(EVERY_TENANT, role)
        if tenant == EVERY_TENANT or default is None:
            return frozenset()
        return frozenset(artifact.version for artifact in default.artifacts)


def _history_after(base: ReleaseChanged, version: Version, *, back: bool) -> tuple[Version, ...]:
    """What was live before, newest first, once `version` is live. Going back forgets the way."""
    if version == base.live:
        return base.history
    if back and version in base.history:
        return base.history[base.history.index(version) + 1 :]
    return (base.live, *(v for v in base.history if v != version))
