"""What travels together: encoders that fit each other, fusion weights, a generator's prompt,
tenants that follow.

Documents and queries are read by encoders that fit each other, so the document encoder takes a
query encoder with it. Fusion weights are fitted to a query encoder's scores, so the query encoder
takes a retrieval version with it. A generator that was made for a prompt takes it along, and away
again. A tenant that has a state of its own in one of these roles, but
not in all, must find them fitting as well.
"""

from dataclasses import dataclass

from gyre_common.best_of import best_of
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT, Version
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.releases.fitting import (
    by_recency,
    fit_generator_and_prompt,
    fit_together,
    fits,
    gives_rewards,
    prompt_of,
    vectors_of,
)

from gyre_releases.draft import ReleaseDraft, state_of
from gyre_releases.versions import has_served, is_proved


@dataclass(frozen=True, kw_only=True)
class Move:
    """What was asked for: the tenant's `roles` go forward, or `back`."""

    tenant: str
    roles: frozenset[str]
    back: bool = False
    override: bool = False

    def asks_for(self, tenant: str, role: str) -> bool:
        """Tell whether somebody chose this role's version, so that no other one will do."""
        return tenant == self.tenant and role in self.roles


def move_companions(draft: ReleaseDraft, move: Move) -> None:
    """Bring along what has to fit, for every tenant that the move reaches.

    Raises FailedPrecondition when encoders, or a generator and its prompt, would no longer fit.
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
            if own is not None and own.follows(before):
                draft.follow_default(tenant, change)


def _fit(draft: ReleaseDraft, tenant: str, move: Move) -> None:
    documents, queries, retrieval = (
        draft.state(tenant, role)
        for role in (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER, Roles.RETRIEVAL)
    )
    if documents and queries and _any_moved(draft, tenant, documents, queries):
        _fit_query_encoder(draft, tenant, move, documents, queries)
        queries = draft.state(tenant, Roles.QUERY_ENCODER)
    if queries and retrieval and _any_moved(draft, tenant, queries, retrieval):
        _fit_retrieval(draft, tenant, move, queries, retrieval)
    generator, prompt = (
        draft.state(tenant, role) for role in (Roles.GENERATOR, Roles.ANSWER_PROMPT)
    )
    if generator and draft.has_moved(tenant, Roles.GENERATOR) and not move.back:
        check_reward(draft, tenant, draft.artifact(tenant, Roles.GENERATOR, generator.live))
    if generator and prompt and _any_moved(draft, tenant, generator, prompt):
        _fit_prompt(draft, tenant, move, generator, prompt)


def check_reward(draft: ReleaseDraft, tenant: str, generator: Artifact) -> None:
    """Raises FailedPrecondition, which names the setting, where a generator cannot choose among its
    answers as its settings say: by a version of the judge that gives rewards, which the tenant has.
    """
    wanted = best_of(generator)
    if wanted is None:
        return
    states = (draft.own(owner, Roles.JUDGE) for owner in (tenant, EVERY_TENANT))
    artifacts = [artifact for state in states if state for artifact in state.artifacts]
    able = [artifact.version for artifact in artifacts if gives_rewards(artifact)]
    if wanted.reward not in able:
        whose = "every tenant" if tenant == EVERY_TENANT else tenant
        there_are = ", ".join(dict.fromkeys(able)) or "none yet: `gyre train judge` makes one"
        raise FailedPrecondition(
            f"{Roles.GENERATOR} {generator.version} has the setting reward {wanted.reward}, which "
            f"is no {Roles.JUDGE} whose method is reward that is registered for {whose}: there are "
            f"{there_are}"
        )


def _any_moved(draft: ReleaseDraft, tenant: str, *states: ReleaseChanged) -> bool:
    return any(draft.has_moved(tenant, state.role) for state in states)


def _fit_query_encoder(
    draft: ReleaseDraft,
    tenant: str,
    move: Move,
    documents: ReleaseChanged,
    queries: ReleaseChanged,
) -> None:
    live = draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)
    is_requested = move.asks_for(tenant, Roles.QUERY_ENCODER)
    candidates = {
        Roles.DOCUMENT_ENCODER: [draft.artifact(tenant, Roles.DOCUMENT_ENCODER, documents.live)],
        Roles.QUERY_ENCODER: [live] if is_requested else _candidates(draft, tenant, queries, move),
    }
    encoder = fit_together(candidates)[Roles.QUERY_ENCODER]
    if not fits(encoder, vectors_of(candidates[Roles.DOCUMENT_ENCODER][0])):
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
    _take_along(draft, tenant, move, queries, encoder.version, documents)


def _fit_retrieval(
    draft: ReleaseDraft,
    tenant: str,
    move: Move,
    queries: ReleaseChanged,
    retrieval: ReleaseChanged,
) -> None:
    """Weights that fit badly rank worse and break nothing: where none fit, the live ones stay."""
    if move.asks_for(tenant, Roles.RETRIEVAL):
        live = draft.artifact(tenant, Roles.RETRIEVAL, retrieval.live)
        if not fits(live, queries.live):
            raise FailedPrecondition(
                f"{Roles.RETRIEVAL} {live.version} was fitted to {queries.role} {live.fits}, but "
                f"{queries.live} is live: promote {queries.role} {live.fits}, which takes it along"
            )
        return
    new_encoder = tenant == move.tenant and not move.back
    candidates = {
        Roles.QUERY_ENCODER: [draft.artifact(tenant, Roles.QUERY_ENCODER, queries.live)],
        Roles.RETRIEVAL: _candidates(draft, tenant, retrieval, move),
    }
    fitted = fit_together(candidates, settled=() if new_encoder else {queries.live})
    _take_along(draft, tenant, move, retrieval, fitted[Roles.RETRIEVAL].version, queries)


def _fit_prompt(
    draft: ReleaseDraft,
    tenant: str,
    move: Move,
    generator: ReleaseChanged,
    prompt: ReleaseChanged,
) -> None:
    live = draft.artifact(tenant, Roles.GENERATOR, generator.live)
    own, is_requested = prompt_of(live), move.asks_for(tenant, Roles.ANSWER_PROMPT)
    prompts = [each.version for each in _candidates(draft, tenant, prompt, move)]
    if own is None:
        before = _prompt_of_before(draft, tenant, prompt)
        prompts.sort(key=lambda version: version != before)
    elif is_requested:
        prompts = [prompt.live]
    pair = fit_generator_and_prompt([live], prompts)
    if pair is None:
        if is_requested:
            raise FailedPrecondition(
                f"{generator.role} {live.version} was made for {prompt.role} {own}: promote a "
                f"{generator.role} that was made for {prompt.live}, which takes it along"
            )
        raise FailedPrecondition(
            f"{generator.role} {live.version} was made for {prompt.role} {own}, which is not "
            "registered here, or was judged by no gate: add it, or promote it first (--override)"
        )
    _take_along(draft, tenant, move, prompt, pair[1], generator)


def _prompt_of_before(draft: ReleaseDraft, tenant: str, prompt: ReleaseChanged) -> Version | None:
    """The prompt that was live until a generator took its own along, which goes away with it."""
    before = state_of(draft.before, tenant, Roles.GENERATOR)
    if before is None or not draft.has_moved(tenant, Roles.GENERATOR) or not prompt.history:
        return None
    brought = prompt_of(draft.artifact(tenant, Roles.GENERATOR, before.live))
    return prompt.history[0] if brought == prompt.live else None


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


def _take_along(
    draft: ReleaseDraft,
    tenant: str,
    move: Move,
    state: ReleaseChanged,
    version: Version,
    leader: ReleaseChanged,
) -> None:
    if version != state.live:
        summary = f"goes with {leader.role} {leader.live}"
        draft.make_live(tenant, state.role, version, summary, back=move.back)
