"""The rules of releases, pure: what may become live, and what the topic then says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gyre_common.errors import Conflict, FailedPrecondition, NotFound
from gyre_common.events.event import EVERY_TENANT, Version
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles

MAX_HISTORY = 100

Changes = tuple[ReleaseChanged, ...]
"""Facts that become true together, or not at all."""

Shipped = Mapping[str, Artifact]
"""The version of each role that came with the program."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Who makes a change, and why."""

    actor: str
    reason: str = ""


class ReleaseBook:
    """The state of every role of the default tenant `*`.

    Its methods say what a change would write and change nothing themselves: `apply` makes it true
    once it is safe on the topic.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._releases: dict[str, ReleaseChanged] = {}

    def apply(self, changes: Iterable[ReleaseChanged]) -> None:
        """Take over what stands on the topic. An older generation changes nothing."""
        for change in changes:
            known = self._releases.get(change.role)
            if change.tenant == EVERY_TENANT and (
                known is None or change.generation > known.generation
            ):
                self._releases[change.role] = change

    def releases(self) -> Sequence[ReleaseChanged]:
        """Every role's state, by role."""
        return [self._releases[role] for role in sorted(self._releases)]

    def release(self, role: str) -> ReleaseChanged:
        """One role's state. Raises NotFound that names the roles there are."""
        release = self._releases.get(role)
        if release is None:
            raise NotFound(f"no role {role}: there are {', '.join(sorted(self._releases))}")
        return release

    def register(self, shipped: Shipped, by: Signature) -> Changes:
        """What makes the shipped versions known.

        A role that is new goes live with its version; one that is not keeps what is live. A version
        that is known already is never touched.
        """
        changes = []
        for role, artifact in shipped.items():
            known = self._releases.get(role)
            if known is None:
                changes.append(self._introduced(role, artifact, by))
            elif known.artifact(artifact.version) is None:
                changes.append(self._extended(known, artifact, by))
        return tuple(changes)

    def altered(self, shipped: Shipped) -> list[str]:
        """Shipped versions whose content is no longer what was registered under their name."""
        return [
            f"{role} {artifact.version}"
            for role, artifact in shipped.items()
            if (known := self._releases.get(role)) is not None
            and (registered := known.artifact(artifact.version)) is not None
            and registered.digest != artifact.digest
        ]

    def promote(
        self, role: str, version: Version, *, expected_generation: int, by: Signature
    ) -> Changes:
        """What makes a registered version live; nothing when it is live already.

        Raises:
            NotFound: names what is registered.
            Conflict: the role is at another generation.
            FailedPrecondition: the encoders would no longer fit each other.
        """
        current = self._expect(role, expected_generation)
        _registered(current, version)
        if version == current.live:
            return ()
        history = (current.live, *(v for v in current.history if v != version))
        change = self._goes_live(current, version, history, by, f"promoted {version}")
        return self._with_fitting_encoder(change, by)

    def rollback(self, role: str, *, expected_generation: int, by: Signature) -> Changes:
        """What makes the version live that was live before; a second rollback goes further back.

        Raises:
            NotFound: there is no such role.
            Conflict: the role is at another generation.
            FailedPrecondition: nothing was live before, or the encoders would not fit each other.
        """
        current = self._expect(role, expected_generation)
        if not current.history:
            raise FailedPrecondition(
                f"{role} has nothing to roll back to: {current.live} is the first version that was "
                "ever live; promote another one instead"
            )
        version, *older = current.history
        summary = f"rolled back {current.live} to {version}"
        change = self._goes_live(current, version, tuple(older), by, summary)
        return self._with_fitting_encoder(change, by)

    def _introduced(self, role: str, artifact: Artifact, by: Signature) -> ReleaseChanged:
        return ReleaseChanged(
            role=role,
            generation=1,
            live=artifact.version,
            artifacts=(artifact,),
            actor=by.actor,
            reason=by.reason or f"first version {artifact.version}",
            changed_at=self._clock(),
        )

    def _extended(self, known: ReleaseChanged, artifact: Artifact, by: Signature) -> ReleaseChanged:
        return known.model_copy(
            update={
                "generation": known.generation + 1,
                "artifacts": (*known.artifacts, artifact),
                "actor": by.actor,
                "reason": by.reason or f"registered {artifact.version}",
                "changed_at": self._clock(),
            }
        )

    def _expect(self, role: str, generation: int) -> ReleaseChanged:
        current = self.release(role)
        if generation not in (0, current.generation):
            raise Conflict(
                f"{role} is at generation {current.generation} ({current.live} is live), not at "
                f"{generation}: look at it again before you change it"
            )
        return current

    def _goes_live(
        self,
        current: ReleaseChanged,
        version: Version,
        history: tuple[Version, ...],
        by: Signature,
        summary: str,
    ) -> ReleaseChanged:
        canary = current.canary
        return current.model_copy(
            update={
                "generation": current.generation + 1,
                "live": version,
                "shadow": None if current.shadow == version else current.shadow,
                "canary": None if canary and canary.version == version else canary,
                "history": history[:MAX_HISTORY],
                "actor": by.actor,
                "reason": by.reason or summary,
                "evidence": {},
                "changed_at": self._clock(),
            }
        )

    def _with_fitting_encoder(self, change: ReleaseChanged, by: Signature) -> Changes:
        """Queries are read by an encoder that fits the one which wrote the index.

        Neither encoder can move alone, so the document encoder takes a query encoder with it.
        """
        match change.role:
            case Roles.QUERY_ENCODER:
                self._check_fit(change)
            case Roles.DOCUMENT_ENCODER if Roles.QUERY_ENCODER in self._releases:
                return (change, *self._companion(change, by))
        return (change,)

    def _check_fit(self, change: ReleaseChanged) -> None:
        wanted = _registered(change, change.live).fits
        documents = self._releases.get(Roles.DOCUMENT_ENCODER)
        if documents is None or wanted is None or wanted == documents.live:
            return
        raise FailedPrecondition(
            f"{change.role} {change.live} fits {Roles.DOCUMENT_ENCODER} {wanted}, but "
            f"{documents.live} is live: promote {Roles.DOCUMENT_ENCODER} {wanted}, which takes a "
            "query encoder that fits with it"
        )

    def _companion(self, documents: ReleaseChanged, by: Signature) -> Changes:
        queries = self._releases[Roles.QUERY_ENCODER]
        if _fits(_registered(queries, queries.live), documents.live):
            return ()
        version = _best_fit(queries, documents.live)
        if version is None:
            raise FailedPrecondition(
                f"no registered {queries.role} fits {documents.role} {documents.live} (live is "
                f"{queries.live}): register one that does, then promote {documents.role} again"
            )
        history = (queries.live, *(v for v in queries.history if v != version))
        summary = f"goes with {documents.role} {documents.live}"
        return (self._goes_live(queries, version, history, by, summary),)


def _registered(release: ReleaseChanged, version: Version) -> Artifact:
    artifact = release.artifact(version)
    if artifact is None:
        names = ", ".join(a.version for a in release.artifacts)
        raise NotFound(f"{release.role} has no version {version}: registered are {names}")
    return artifact


def _fits(query_encoder: Artifact, document_encoder: Version) -> bool:
    return query_encoder.fits in (None, document_encoder)


def _best_fit(queries: ReleaseChanged, document_encoder: Version) -> Version | None:
    """The one that was live most recently, else the newest that was registered."""
    newest_first = (a.version for a in reversed(queries.artifacts))
    for version in (*queries.history, *newest_first):
        artifact = queries.artifact(version)
        if artifact is not None and _fits(artifact, document_encoder):
            return version
    return None
