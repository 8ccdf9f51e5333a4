"""What may be said of one version: its content, which never changes, and what speaks for it."""

from collections.abc import Collection, Mapping

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_common.events.event import Version
from gyre_common.events.releases import (
    GATE_FAILED,
    GATE_PASSED,
    SHIPPED,
    Artifact,
    Evidence,
    ReleaseChanged,
)
from gyre_common.events.training import RunOutcome

MAX_ARTIFACTS = 50
"""Versions that a role keeps beside those that serve, did, or ship with Gyre."""

MAX_ARTIFACT_BYTES = 4096
"""Of one version's JSON. With 50 others, 50 of the history, shadow, canary and what ships, a role's
state stays below LARGEST_EVENT."""

_CONTENT = ("digest", "uri", "index", "fits", "settings")


def registered_version(state: ReleaseChanged, version: Version) -> Artifact:
    """Raises NotFound that names what is registered."""
    artifact = state.artifact(version)
    if artifact is None:
        names = ", ".join(known.version for known in state.artifacts)
        raise NotFound(f"{state.role} has no version {version}: registered are {names}")
    return artifact


def differences(registered: Artifact, other: Artifact) -> list[str]:
    """What defines the version and is not the same; evidence and the time are no content."""
    return [name for name in _CONTENT if getattr(registered, name) != getattr(other, name)]


def check_same_content(role: str, registered: Artifact, other: Artifact) -> None:
    """Raises FailedPrecondition when a name is taken by other content."""
    if differing := differences(registered, other):
        raise FailedPrecondition(
            f"{role} {other.version} is registered already with another {', '.join(differing)}: a "
            "version never changes, give the new content a new name"
        )


def with_evidence(artifact: Artifact, evidence: Mapping[str, str]) -> Artifact:
    """The version with more that speaks for it, or against it. Raises FailedPrecondition when
    something else was said of it before, which stands; InvalidInput when it would be too much.
    """
    for key, value in evidence.items():
        recorded = artifact.evidence.get(key, value)
        if recorded != value:
            raise FailedPrecondition(
                f"{artifact.version} has {key} {recorded} on record, which is never changed to "
                f"{value}"
            )
    more = {**artifact.evidence, **evidence}
    return with_checked_size(artifact.model_copy(update={"evidence": more}))


def with_checked_size(artifact: Artifact) -> Artifact:
    """Raises InvalidInput when a version says more of itself than the topic has room for."""
    size = len(artifact.model_dump_json().encode())
    if size > MAX_ARTIFACT_BYTES:
        raise InvalidInput(
            "settings",
            f"and evidence of {artifact.version} have {size:,} bytes, more than "
            f"{MAX_ARTIFACT_BYTES:,}",
            "keep what is large in the store, and its address here",
        )
    return artifact


def is_proved(artifact: Artifact) -> bool:
    """It ships with Gyre, or a gate let it pass."""
    evidence = artifact.evidence
    return evidence.get(Evidence.ORIGIN) == SHIPPED or evidence.get(Evidence.GATE) == GATE_PASSED


def has_served(state: ReleaseChanged | None, version: Version) -> bool:
    """It is live there, or was."""
    return state is not None and version in (state.live, *state.history)


def unproved_error(role: str, artifact: Artifact) -> FailedPrecondition:
    """Why a version may not go live, and what to do."""
    verdict = artifact.evidence.get(Evidence.GATE)
    summary = artifact.evidence.get(Evidence.SUMMARY, "")
    why = "was judged by no gate" if verdict is None else "did not pass its gate"
    return FailedPrecondition(
        f"{role} {artifact.version} {why}{f' ({summary})' if summary else ''}: to promote it all "
        "the same, ask for an override (--override) and give a reason; both are recorded"
    )


def reason_to_keep(state: ReleaseChanged, version: Version) -> str:
    """Why a version may not be removed; empty where nothing speaks for it."""
    artifact = state.artifact(version)
    if has_served(state, version):
        return "it is live" if version == state.live else "it was live, and a rollback may want it"
    if version == state.shadow or (state.canary and version == state.canary.version):
        return "it is on trial, as canary or shadow"
    if artifact is not None and artifact.evidence.get(Evidence.ORIGIN) == SHIPPED:
        return "it ships with Gyre"
    standing = [each.version for each in state.artifacts if each.settings.get("base") == version]
    return f"{', '.join(standing)} stands on it: remove that first" if standing else ""


def artifacts_to_keep(
    state: ReleaseChanged, shared: Collection[Version] = ()
) -> tuple[Artifact, ...]:
    """The versions that a role goes on knowing: all that may serve again, or wait to be judged or
    promoted, and of the others so many of the newest that there are `MAX_ARTIFACTS`. What is
    `shared` by the default of all tenants is kept there, and goes first.
    """
    others = _others(state)
    copies = [each for each in others if each.version in shared]
    judged = [each for each in others if Evidence.GATE in each.evidence and not _waits(each)]
    judged.sort(key=lambda each: not _is_done_with(each))  # stays by age within both
    order = dict.fromkeys(each.version for each in (*copies, *judged))
    gone = set(tuple(order)[: max(0, len(others) - MAX_ARTIFACTS)])
    return tuple(artifact for artifact in state.artifacts if artifact.version not in gone)


def check_room(state: ReleaseChanged, shared: Collection[Version] = ()) -> None:
    """Raises FailedPrecondition: another version would drive out one that somebody may want.
    `shared` as in `artifacts_to_keep`.
    """
    others = [each for each in _others(state) if each.version not in shared]
    if len(others) >= MAX_ARTIFACTS and not any(map(_is_done_with, others)):
        raise FailedPrecondition(
            f"{state.role} has {len(others)} versions that wait to be judged or promoted, and "
            f"there is room for {MAX_ARTIFACTS}: look at them with `gyre releases {state.role}`, "
            "and remove those that nobody needs (RemoveVersion)"
        )


def _others(state: ReleaseChanged) -> list[Artifact]:
    """Those that neither serve, did, may by a trial, nor ship with Gyre; the oldest first."""
    named = {state.live, state.shadow, *state.history}
    if state.canary:
        named.add(state.canary.version)
    return [
        artifact
        for artifact in state.artifacts
        if artifact.version not in named and artifact.evidence.get(Evidence.ORIGIN) != SHIPPED
    ]


def _waits(artifact: Artifact) -> bool:
    return artifact.evidence.get(Evidence.OUTCOME) == RunOutcome.PASSED


def _is_done_with(artifact: Artifact) -> bool:
    """Its gate did not let it pass, or it was released and others have long followed."""
    evidence = artifact.evidence
    was_released = evidence.get(Evidence.OUTCOME) == RunOutcome.RELEASED
    return evidence.get(Evidence.GATE) == GATE_FAILED or was_released
