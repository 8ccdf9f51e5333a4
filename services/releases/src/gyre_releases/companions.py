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

from gyre_releases.draft import Draft
from gyre_releases.versions import is_proved, served


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


def settle(draft: Draft, move: Move) -> None:
    """Bring along what has to fit, for every tenant that the move reaches.

    Raises:
        FailedPrecondition: the encoders would no longer fit each other.
    """
    _fit(draft, move.tenant, move)
    if move.tenant == EVERY_TENANT:
        _follow(draft)
        for tenant in draft.tenants:
            _fit(draft, tenant, move)


def _follow(draft: Draft) -> None:
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


def _fit(draft: Draft, tenant: str, move: Move) -> None:
    _fit_query_encoder(draft, tenant, move)
    _fit_retrieval(draft, tenant, move)


def _fit_query_encoder(draft: Draft, tenant: str, move: Move) -> None:
    documents = draft.state(tenant, Roles.DOCUMENT_ENCODER)
    queries = draft.state(tenant, Roles.QUERY_ENCODER)
    if documents is None or queries is None or not _touched(draft, tenant, *_ENCODERS):
        return
    live = draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)
    asked_for = tenant == move.tenant and Roles.QUERY_ENCODER in move.roles
    candidates = {
        Roles.DOCUMENT_ENCODER: [draft.artifact(tenant, Roles.DOCUMENT_ENCODER, documents.live)],
        Roles.QUERY_ENCODER: [live] if asked_for else _candidates(draft, tenant, queries, move),
    }
    chosen = fit_together(candidates)[Roles.QUERY_ENCODER]
    if not fits(chosen, documents.live):
        if asked_for:
            raise FailedPrecondition(
                f"{queries.role} {live.version} fits {documents.role} {live.fits}, but "
                f"{documents.live} is live: promote {documents.role} {live.fits}, which takes a "
                "query encoder that fits with it"
            )
        raise FailedPrecondition(
            f"no registered {queries.role} fits {documents.role} {documents.live} (live is "
            f"{queries.live}): register one that does, then promote {documents.role} again"
        )
    _bring(draft, tenant, queries, chosen, move, f"{documents.role} {documents.live}")


def _fit_retrieval(draft: Draft, tenant: str, move: Move) -> None:
    """Weights that fit badly rank worse and break nothing: where none fit, the live ones stay."""
    queries = draft.state(tenant, Roles.QUERY_ENCODER)
    retrieval = draft.state(tenant, Roles.RETRIEVAL)
    if queries is None or retrieval is None:
        return
    if not _touched(draft, tenant, Roles.QUERY_ENCODER, Roles.RETRIEVAL):
        return
    if tenant == move.tenant and Roles.RETRIEVAL in move.roles:
        _check_weights(draft.artifact(tenant, Roles.RETRIEVAL, retrieval.live), queries)
        return
    new_encoder = tenant == move.tenant and not move.back
    candidates = {
        Roles.QUERY_ENCODER: [draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)],
        Roles.RETRIEVAL: _candidates(draft, tenant, retrieval, move),
    }
    chosen = fit_together(candidates, settled=() if new_encoder else {queries.live})
    goes_with = f"{queries.role} {queries.live}"
    _bring(draft, tenant, retrieval, chosen[Roles.RETRIEVAL], move, goes_with)


def _check_weights(live: Artifact, queries: ReleaseChanged) -> None:
    if not fits(live, queries.live):
        raise FailedPrecondition(
            f"{Roles.RETRIEVAL} {live.version} was fitted to {queries.role} {live.fits}, but "
            f"{queries.live} is live: promote {queries.role} {live.fits}, which takes it along"
        )


def _touched(draft: Draft, tenant: str, *roles: str) -> bool:
    return any(draft.moved(tenant, role) for role in roles)


def _candidates(draft: Draft, tenant: str, state: ReleaseChanged, move: Move) -> list[Artifact]:
    """The live version, then those that may go live, then what the default has now. An override is
    for what was tried together, too.
    """
    live, *others = by_recency(state)
    proved = [each for each in others if is_proved(each) or served(state, each.version)]
    overridden = others if move.override and tenant == move.tenant else []
    default = draft.own(EVERY_TENANT, state.role)
    last = [draft.artifact(EVERY_TENANT, state.role, default.live)] if default else []
    return [live, *proved, *overridden, *last]


def _bring(
    draft: Draft, tenant: str, state: ReleaseChanged, artifact: Artifact, move: Move, goes_with: str
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
        summary=f"goes with {goes_with}",
        evidence={} if move.back else draft.speaks_for(tenant, role, version),
    )


_ENCODERS = (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER)
