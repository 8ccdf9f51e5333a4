"""The rules of releases, pure: what may become live, and what the topic then says."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from gyre_common.errors import Conflict, FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.event import EVERY_TENANT, Version
from gyre_common.events.releases import SHIPPED, Artifact, Evidence, ReleaseChanged, Roles
from gyre_common.events.training import RunOutcome
from gyre_common.releases.fitting import reward_of
from gyre_common.signature import Signature

from gyre_releases.companions import Move, check_reward, move_companions
from gyre_releases.draft import Changes, ReleaseDraft, state_of
from gyre_releases.scope import ReleaseScope
from gyre_releases.verdicts import JudgedRun, Ruling, outcome_evidence, unreleased
from gyre_releases.versions import (
    check_room,
    check_same_content,
    differences,
    reason_to_keep,
    registered_version,
    unproved_error,
    with_checked_size,
    with_evidence,
)

ShippedArtifacts = Mapping[str, Sequence[Artifact]]
"""The versions of each role that came with the program, the one to begin with first."""

_SHIPPED = {Evidence.ORIGIN.value: SHIPPED}


class ReleaseBook:
    """The state of every role, by tenant; `*` is the default of all tenants.

    A tenant without a state of its own has the default's. Its methods say what a change would write
    and change nothing themselves: `apply` makes it true once it is safe on the topic.

    Raises, from every method: NotFound where there is no such role or version, naming those there
    are; Conflict where the role is at another generation than the one expected.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._states: dict[tuple[str, str], ReleaseChanged] = {}

    def now(self) -> datetime:
        """The moment that a change made now would bear."""
        return self._clock()

    def apply(self, changes: Iterable[ReleaseChanged]) -> None:
        """Take over what stands on the topic. An older generation changes nothing."""
        for change in changes:
            known = self._states.get((change.tenant, change.role))
            if known is None or change.generation > known.generation:
                self._states[change.tenant, change.role] = change

    def releases(self, tenant: str = EVERY_TENANT) -> Sequence[ReleaseChanged]:
        """Every role's state as a tenant has it, by role."""
        roles = {role for owner, role in self._states if owner in (tenant, EVERY_TENANT)}
        return [self.release(role, tenant) for role in sorted(roles)]

    def release(self, role: str, tenant: str = EVERY_TENANT) -> ReleaseChanged:
        """One role's state as a tenant has it."""
        release = state_of(self._states, tenant, role)
        if release is None:
            roles = sorted({known for _, known in self._states})
            raise NotFound(f"no role {role}: there are {', '.join(roles)}")
        return release

    def tenant_of(self, role: str, scope: ReleaseScope) -> str:
        """Whose release a request means. Raises InvalidInput when it names another tenant."""
        return scope.tenant(has_own=(scope.caller, role) in self._states)

    def owner_of(self, role: str, artifact: Artifact, scope: ReleaseScope) -> str:
        """Who gets a new version. A generator that chooses its answers by a judge which is the
        caller's alone is the caller's alone, unless the request says whose. Raises as `tenant_of`,
        and PermissionDenied where all tenants' is not open to the caller.
        """
        reward = reward_of(artifact) if role == Roles.GENERATOR else None
        own, default = (self._states.get((o, Roles.JUDGE)) for o in (scope.caller, EVERY_TENANT))
        is_known = default is not None and default.artifact(reward or "") is not None
        if reward and own and own.artifact(reward) and not is_known and not scope.requested:
            return scope.caller
        return scope.tenant_to_add_to(has_own=(scope.caller, role) in self._states)

    def ship(self, shipped: ShippedArtifacts, by: Signature) -> Changes:
        """What makes the versions known that came with the program.

        A role that is new goes live with its first version; one that is not keeps what is live.
        What is known of a version already is never touched.
        """
        draft = self._draft(by)
        for role, artifact in _each(shipped):
            version, evidence = artifact.version, artifact.evidence | _SHIPPED
            known_role = draft.own(EVERY_TENANT, role)
            known = known_role.artifact(version) if known_role else None
            artifact = artifact.model_copy(update={"evidence": evidence})
            if known_role is None:
                draft.add_role(role, artifact)
            elif known is None:
                # A role that begins says which version it began with, whatever ships beside that.
                begins = (EVERY_TENANT, role) not in draft.before
                summary = known_role.reason if begins else f"registered {version}"
                draft.put_artifact(EVERY_TENANT, role, artifact, summary)
            elif not known.evidence and not differences(known, artifact):
                # Registered by a program that did not write down yet where versions come from.
                known = known.model_copy(update={"evidence": _SHIPPED})
                draft.put_artifact(EVERY_TENANT, role, known, f"{version} is shipped")
        return draft.changes

    def altered_versions(self, shipped: ShippedArtifacts) -> list[str]:
        """Shipped versions whose content is no longer what was registered under their name."""
        states = {role: self._states.get((EVERY_TENANT, role)) for role in shipped}
        return [
            f"{role} {artifact.version}"
            for role, artifact in _each(shipped)
            if (state := states[role]) is not None
            and (registered := state.artifact(artifact.version)) is not None
            and registered.digest != artifact.digest
        ]

    def register(self, tenant: str, role: str, artifact: Artifact, by: Signature) -> Changes:
        """What makes a version known to a tenant; nothing when it is known already.

        Raises:
            FailedPrecondition: the name is taken, by whichever tenant, for other content; it is to
                choose among answers by what cannot; or it would drive out one that is waited for.
            InvalidInput: it says more of itself than there is room for.
        """
        self.release(role, tenant)
        self._check_name(role, artifact)
        draft = self._draft(by)
        if role == Roles.GENERATOR:
            check_reward(draft, tenant, artifact)
        owners = (self._states.get((owner, role)) for owner in (tenant, EVERY_TENANT))
        if any(state is not None and state.artifact(artifact.version) for state in owners):
            return ()
        check_room(draft.base(tenant, role), draft.shared(tenant, role))
        signed = {Evidence.REGISTERED_BY.value: by.actor, Evidence.REASON.value: by.reason}
        _put_new(draft, tenant, role, artifact, {key: text for key, text in signed.items() if text})
        return draft.changes

    def remove(self, tenant: str, role: str, version: Version, by: Signature) -> Changes:
        """What makes a version unknown to a tenant, or to all.

        Raises FailedPrecondition when it serves, did, may, ships, or another one stands on it.
        """
        registered_version(self.release(role, tenant), version)
        for owner, of_role in self._states:
            state = self._states[owner, of_role]
            if of_role == role and (reason := reason_to_keep(state, version)):
                raise FailedPrecondition(f"{role} {version} stays: {reason}")
        choosing = self._generators_by(version) if role == Roles.JUDGE else ()
        if choosing:
            generators = ", ".join(choosing)
            raise FailedPrecondition(
                f"{role} {version} stays: {Roles.GENERATOR} {generators} chooses its answers by "
                "it: remove that first"
            )
        draft = self._draft(by)
        draft.remove_artifact(tenant, role, version)
        return draft.changes

    def promote(
        self,
        role: str,
        version: Version,
        *,
        expected_generation: int,
        by: Signature,
        tenant: str = EVERY_TENANT,
        override: bool = False,
    ) -> Changes:
        """What makes a registered version live; nothing when it is live already.

        Raises FailedPrecondition when nothing speaks for the version, or encoders would not fit.
        """
        current = self._check_generation(tenant, role, expected_generation)
        draft = self._draft(by)
        draft.artifact(tenant, role, version)
        if version == current.live:
            return ()
        _promote(draft, tenant, role, version, override=override)
        move_companions(draft, Move(tenant=tenant, roles=frozenset({role}), override=override))
        return draft.changes

    def apply_verdict(self, run: JudgedRun, *, refusal: str = "") -> Changes:
        """What a verdict comes to, all of it together: it is recorded with its version, companions
        are registered, and what passed goes live. Nothing when it was applied before.

        `refusal` tells why the version cannot serve.

        Raises:
            FailedPrecondition: other content or evidence is on record under a name.
            InvalidInput: there is no room for what the verdict says.
        """
        tenant, role = run.event.tenant, run.event.role
        known = self._draft(run.by).artifact(tenant, role, run.candidate.version)
        check_same_content(role, known, run.candidate)
        if Evidence.OUTCOME in known.evidence:
            return ()
        ruling = run.ruling()
        if ruling[0] is RunOutcome.RELEASED:
            try:
                return self._release_candidate(run, ruling, refusal)
            except (Conflict, FailedPrecondition) as error:
                ruling = unreleased(str(error))
        return self._record_verdict(run, ruling).changes

    def _release_candidate(self, run: JudgedRun, ruling: Ruling, refusal: str) -> Changes:
        """Raises Conflict or FailedPrecondition when it cannot go live."""
        if refusal:
            raise FailedPrecondition(refusal)
        tenant, against = run.event.tenant, run.event.against
        lives = {role: self.release(role, tenant).live for role in {*against, *run.versions}}
        for role, version in against.items():
            if lives[role] not in (version, run.versions.get(role)):
                raise Conflict(
                    f"{role} {lives[role]} is live by now, and the gate compared with {version}: "
                    "run the gate again"
                )
        draft = self._record_verdict(run, ruling)
        for role, version in run.versions.items():
            if version != lives[role]:
                _promote(draft, tenant, role, version)
        move_companions(draft, Move(tenant=tenant, roles=frozenset(run.versions)))
        return draft.changes

    def _record_verdict(self, run: JudgedRun, ruling: Ruling) -> ReleaseDraft:
        draft, tenant, role = self._draft(run.by), run.event.tenant, run.event.role
        version, evidence = run.candidate.version, run.evidence
        known = draft.artifact(tenant, role, version)
        judged = with_evidence(known, evidence | outcome_evidence(ruling))
        draft.put_artifact(tenant, role, judged, f"verdict on {version}")
        for other, companion in run.verdict.companions.items():
            self.release(other, tenant)
            self._check_name(other, companion)
            judged = companion.model_copy(update={"evidence": companion.evidence | evidence})
            _put_new(draft, tenant, other, judged, {Evidence.REGISTERED_BY.value: run.by.actor})
        return draft

    def shadow(
        self,
        role: str,
        version: Version,
        *,
        expected_generation: int,
        by: Signature,
        tenant: str = EVERY_TENANT,
    ) -> Changes:
        """What makes a registered version the shadow, or none where it is empty; nothing when it
        is that already.

        Raises InvalidInput for a role that has no shadow, or the version that is live.
        """
        current = self._check_generation(tenant, role, expected_generation)
        if role != Roles.DOCUMENT_ENCODER:
            fix = f"only {Roles.DOCUMENT_ENCODER} has one: its index is filled beside the live one"
            raise InvalidInput("role", f"{role} has no shadow", fix)
        if version:
            registered_version(current, version)
        if version == current.live:
            raise InvalidInput("version", f"{version} is live", "name another one, or none")
        if version == (current.shadow or ""):
            return ()
        draft = self._draft(by)
        draft.set_shadow(tenant, role, version or None)
        return draft.changes

    def rollback(
        self, role: str, *, expected_generation: int, by: Signature, tenant: str = EVERY_TENANT
    ) -> Changes:
        """What makes the version live that was live before; a second rollback goes further back.

        Raises FailedPrecondition when nothing was live before, or encoders would not fit.
        """
        current = self._check_generation(tenant, role, expected_generation)
        if current.tenant != tenant or not current.history:
            raise FailedPrecondition(_no_history(current, tenant))
        version, draft = current.history[0], self._draft(by)
        summary = f"rolled back {current.live} to {version}"
        draft.make_live(tenant, role, version, summary, back=True)
        move_companions(draft, Move(tenant=tenant, roles=frozenset({role}), back=True))
        return draft.changes

    def _generators_by(self, judge: Version) -> Sequence[Version]:
        """Those, of any tenant, that choose among their answers by that version."""
        states = (state for (_, role), state in self._states.items() if role == Roles.GENERATOR)
        artifacts = (each for state in states for each in state.artifacts)
        return sorted({each.version for each in artifacts if reward_of(each) == judge})

    def _draft(self, by: Signature) -> ReleaseDraft:
        return ReleaseDraft(self._states, by, self._clock())

    def _check_generation(self, tenant: str, role: str, generation: int) -> ReleaseChanged:
        current = self.release(role, tenant)
        if generation not in (0, current.generation):
            raise Conflict(
                f"{role} is at generation {current.generation} ({current.live} is live), not at "
                f"{generation}: look at it again before you change it"
            )
        return current

    def _check_name(self, role: str, artifact: Artifact) -> None:
        """Raises FailedPrecondition when any tenant has other content under that name."""
        for (_, of_role), state in self._states.items():
            if of_role == role and (registered := state.artifact(artifact.version)) is not None:
                check_same_content(role, registered, artifact)


def _put_new(
    draft: ReleaseDraft, tenant: str, role: str, artifact: Artifact, signed: Mapping[str, str]
) -> None:
    """Register a version with who signed for it; what it says of itself stands."""
    signed_artifact = artifact.model_copy(update={"evidence": {**signed, **artifact.evidence}})
    checked = with_checked_size(signed_artifact)
    draft.put_artifact(tenant, role, checked, f"registered {artifact.version}")


def _promote(
    draft: ReleaseDraft, tenant: str, role: str, version: Version, *, override: bool = False
) -> None:
    if not override and draft.needs_override(tenant, role, version):
        raise unproved_error(role, draft.artifact(tenant, role, version))
    draft.make_live(tenant, role, version, f"promoted {version}")


def _no_history(current: ReleaseChanged, tenant: str) -> str:
    first = f"{current.live} is the first version that a rollback knows of; promote another one"
    if tenant == EVERY_TENANT:
        return f"{current.role} has nothing to roll back to: {first} instead"
    return (
        f"{tenant} has nothing of its own to roll {current.role} back to: {first}, or roll back "
        "the default of all (--every-tenant)"
    )


def _each(shipped: ShippedArtifacts) -> Iterator[tuple[str, Artifact]]:
    return ((role, artifact) for role, artifacts in shipped.items() for artifact in artifacts)
