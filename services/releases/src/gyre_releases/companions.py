"""What travels together: encoders that fit each other, fusion weights, tenants that follow.

Documents and queries are read by encoders that fit each other, so the document encoder takes a
query encoder with it. Fusion weights are fitted to a query encoder's scores, so the query encoder
takes a retrieval version with it. A tenant that has a state of its own in one of these roles, but
not in all, must find them fitting as well.
"""

from dataclasses import dataclass

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT, Version
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.releases.fitting import by_recency, fit_together, fits

from gyre_releases.draft import ReleaseDraft
from gyre_releases.versions import has_served, is_proved


@dataclass(frozen=True, kw_only=True)
class Move:
    """What was asked for: the tenant's `roles` go forward, or `back`."""

    tenant: str
    roles: frozenset[str]
    back: bool = False
    override: bool = False


def history_after(base: ReleaseChanged, version: Version, *, back: bool) -> tuple[Version, ...]:
    """What was live before, newest first, once `version` is live. Going back forgets the way."""
    if version == base.live:
        return base.history
    if back and version in base.history:
        return base.history[base.history.index(version) + 1 :]
    return (base.live, *(v for v in base.history if v != version))


def move_companions(draft: ReleaseDraft, move: Move) -> None:
    """Bring along what has to fit, for every tenant that the move reaches.

    Raises:
        FailedPrecondition: the encoders would no longer fit each other.
    """
    _fit(draft, move.tenant, move)
    if move.tenant == EVERY_TENANT:
        _follow_default(draft)
        for tenant in draft.tenants:
            _fit(draft, tenant, move)


def _follow_default(draft: ReleaseDraft) -> None:
    """A tenant that has registered versions but never chose one has what the default has."""
    for change in draft.changes:
        before = draft.before.get((EVERY_TENANT, change.role))
        if before is None or before.live == change.live:
            continue
        for tenant in draft.tenants:
            own = draft.before.get((tenant, change.role))
            if own is not None and not own.history and own.live == before.live:
                draft.make_live(
                    tenant,
                    change.role,
                    change.live,
                    history=(),
                    summary=f"follows the default to {change.live}",
                    evidence=change.evidence,
                )


def _fit(draft: ReleaseDraft, tenant: str, move: Move) -> None:
    _fit_query_encoder(draft, tenant, move)
    _fit_retrieval(draft, tenant, move)


def _fit_query_encoder(draft: ReleaseDraft, tenant: str, move: Move) -> None:
    documents = draft.state(tenant, Roles.DOCUMENT_ENCODER)
    queries = draft.state(tenant, Roles.QUERY_ENCODER)
    if documents is None or queries is None or not _any_moved(draft, tenant, *_ENCODERS):
        return
    live = draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)
    is_requested = tenant == move.tenant and Roles.QUERY_ENCODER in move.roles
    candidates = {
        Roles.DOCUMENT_ENCODER: [draft.artifact(tenant, Roles.DOCUMENT_ENCODER, documents.live)],
        Roles.QUERY_ENCODER: [live] if is_requested else _candidates(draft, tenant, queries, move),
    }
    encoder = fit_together(candidates)[Roles.QUERY_ENCODER]
    if not fits(encoder, documents.live):
        if is_requested:
            raise FailedPrecondition(
                f"{queries.role} {live.version} fits {documents.role} {live.fits}, but "
                f"{documents.live} is live: promote {documents.role} {live.fits}, which takes a "
                "query encoder that fits with it"
            )
        raise FailedPrecondition(
            f"no registered {queries.role} fits {documents.role} {documents.live} (live is "
            f"{queries.live}): register one that does, then promote {documents.role} again"
        )
    _make_live(draft, tenant, queries, encoder, move, f"{documents.role} {documents.live}")


def _fit_retrieval(draft: ReleaseDraft, tenant: str, move: Move) -> None:
    """Weights that fit badly rank worse and break nothing: where none fit, the live ones stay."""
    queries = draft.state(tenant, Roles.QUERY_ENCODER)
    retrieval = draft.state(tenant, Roles.RETRIEVAL)
    if queries is None or retrieval is None:
        return
    if not _any_moved(draft, tenant, Roles.QUERY_ENCODER, Roles.RETRIEVAL):
        return
    if tenant == move.tenant and Roles.RETRIEVAL in move.roles:
        _check_weights(draft.artifact(tenant, Roles.RETRIEVAL, retrieval.live), queries)
        return
    new_encoder = tenant == move.tenant and not move.back
    candidates = {
        Roles.QUERY_ENCODER: [draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)],
        Roles.RETRIEVAL: _candidates(draft, tenant, retrieval, move),
    }
    fitted = fit_together(candidates, settled=() if new_encoder else {queries.live})
    companion_of = f"{queries.role} {queries.live}"
    _make_live(draft, tenant, retrieval, fitted[Roles.RETRIEVAL], move, companion_of)


def _check_weights(live: Artifact, queries: ReleaseChanged) -> None:
    if not fits(live, queries.live):
        raise FailedPrecondition(
            f"{Roles.RETRIEVAL} {live.version} was fitted to {queries.role} {live.fits}, but "
            f"{queries.live} is live: promote {queries.role} {live.fits}, which takes it along"
        )


def _any_moved(draft: ReleaseDraft, tenant: str, *roles: str) -> bool:
    return any(draft.has_moved(tenant, role) for role in roles)


def _candidates(
    draft: ReleaseDraft, tenant: str, state: ReleaseChanged, move: Move
) -> list[Artifact]:
    """The live version, then those that may go live, then what the default has now. An override is
    for what was tried together, too.
    """
    live, *others = by_recency(state)
    releasable = [each for each in others if is_proved(each) or has_served(state, each.version)]
    overridden = others if move.override and tenant == move.tenant else []
    default = draft.own(EVERY_TENANT, state.role)
    last = [draft.artifact(EVERY_TENANT, state.role, default.live)] if default else []
    return [live, *releasable, *overridden, *last]


def _make_live(
    draft: ReleaseDraft,
    tenant: str,
    state: ReleaseChanged,
    artifact: Artifact,
    move: Move,
    companion_of: str,
) -> None:
    role, version = state.role, artifact.version
    if version == state.live:
        return
    base = draft.before.get((tenant, role)) or draft.base(tenant, role)
    draft.make_live(
        tenant,
        role,
        version,
        history=history_after(base, version, back=move.back),
        summary=f"goes with {companion_of}",
        evidence={} if move.back else draft.evidence_for(tenant, role, version),
    )


_ENCODERS = (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER)
