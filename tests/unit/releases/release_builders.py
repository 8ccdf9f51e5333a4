"""Books of releases as tests write them: only what matters is said."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.events.training import TrainingFinished
from gyre_common.signature import Signature
from gyre_releases.book import ReleaseBook
from gyre_releases.verdicts import JudgedRun

from tests.builders import a_training_end, a_training_verdict

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ANN = Signature(actor="ann", reason="better on the held-out questions")


def an_artifact(
    version: str, *, fits: str | None = None, content: str = "a", **evidence: str
) -> Artifact:
    """One that passed its gate, unless told otherwise."""
    return Artifact(
        version=version,
        digest="sha256:" + content * 64,
        fits=fits,
        evidence=evidence or {"gate": "passed"},
        registered_at=NOON,
    )


def a_release(
    role: str, *artifacts: Artifact, live: str = "", tenant: str = EVERY_TENANT
) -> ReleaseChanged:
    return ReleaseChanged(
        tenant=tenant,
        role=role,
        generation=1,
        live=live or artifacts[0].version,
        artifacts=artifacts,
        reason="shipped",
        actor="gyre",
        changed_at=NOON,
    )


def a_book(*releases: ReleaseChanged) -> ReleaseBook:
    book = ReleaseBook(clock=lambda: NOON)
    book.apply(releases)
    return book


def promote(
    book: ReleaseBook,
    role: str,
    version: str,
    generation: int = 0,
    *,
    tenant: str = EVERY_TENANT,
    override: bool = False,
) -> list[str]:
    """Promotes, and says what changed."""
    changes = book.promote(
        role, version, expected_generation=generation, by=ANN, tenant=tenant, override=override
    )
    book.apply(changes)
    return names(changes)


def rollback(
    book: ReleaseBook, role: str, generation: int = 0, *, tenant: str = EVERY_TENANT
) -> list[str]:
    """Rolls back, and says what changed."""
    changes = book.rollback(role, expected_generation=generation, by=ANN, tenant=tenant)
    book.apply(changes)
    return names(changes)


def register(
    book: ReleaseBook, role: str, artifact: Artifact, *, tenant: str = EVERY_TENANT
) -> list[str]:
    """Registers, and says what changed."""
    changes = book.register(tenant, role, artifact, ANN)
    book.apply(changes)
    return names(changes)


def a_judged_run(
    candidate: Artifact,
    *,
    role: str = "query-encoder",
    tenant: str = EVERY_TENANT,
    against: Mapping[str, str] | None = None,
    hold: bool = False,
    **verdict: object,
) -> TrainingFinished:
    """The end of a run that made the candidate, with a clear gain unless told otherwise."""
    return a_training_end(
        tenant=tenant,
        role=role,
        version=candidate.version,
        candidate=candidate,
        against=against or {},
        hold=hold,
        verdict=a_training_verdict(**verdict),
    )


def apply_verdict(book: ReleaseBook, event: TrainingFinished) -> list[str]:
    """Applies it, and says what changed."""
    run = JudgedRun.of(event)
    assert run is not None
    changes = book.apply_verdict(run)
    book.apply(changes)
    return names(changes)


def record_of(book: ReleaseBook, role: str, version: str, tenant: str = EVERY_TENANT) -> str:
    """What applying a verdict came to, with the reason where one is on record."""
    artifact = book.release(role, tenant).artifact(version)
    assert artifact is not None
    parts = (artifact.evidence.get("outcome", ""), artifact.evidence.get("outcome_reason", ""))
    return ": ".join(part for part in parts if part)


def names(changes: Iterable[ReleaseChanged]) -> list[str]:
    """`role version #generation`, after the tenant where it is one of its own."""
    return [
        f"{'' if change.tenant == EVERY_TENANT else change.tenant + ' '}"
        f"{change.role} {change.live} #{change.generation}"
        for change in changes
    ]
