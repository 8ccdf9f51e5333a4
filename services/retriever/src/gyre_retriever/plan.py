"""Which versions serve a request, and which could in their place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases import ReleaseView
from gyre_common.retrieval_recipe import Recipe, recipe_of

ROLES = (Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER, Roles.RETRIEVAL)


@dataclass(frozen=True)
class Plan:
    """The versions of one request, and what follows from them."""

    versions: Mapping[str, str]
    recipe: Recipe
    index: str

    @property
    def query_encoder(self) -> str:
        """The version that encodes the query."""
        return self.versions[Roles.QUERY_ENCODER]

    @property
    def retrieval(self) -> str:
        """The version that says how to search and fuse."""
        return self.versions[Roles.RETRIEVAL]


def plan_of(releases: ReleaseView, context: RequestContext, sticky_key: str) -> Plan:
    """The versions that came with the request; live, or a canary, for roles that it names none of.

    Raises:
        FailedPrecondition: a version is not known here.
    """
    given = releases.for_request(context, sticky_key).versions
    chosen = {
        role: releases.artifact(role, given[role])
        if role in given
        else releases.live(context.tenant, role)
        for role in ROLES
    }
    query_encoder, retrieval = chosen[Roles.QUERY_ENCODER], chosen[Roles.RETRIEVAL]
    if Roles.RETRIEVAL not in given:
        fitting = releases.retrieval_for(
            context.tenant, query_encoder.version, wanted=retrieval.version
        )
        retrieval = releases.artifact(Roles.RETRIEVAL, fitting)
    return _plan(releases, query_encoder, chosen[Roles.DOCUMENT_ENCODER], retrieval)


def plans_instead(releases: ReleaseView, tenant: str, plan: Plan) -> Iterator[Plan]:
    """Live in place of a canary, then what was live before: as far as they search the same index.

    Another index may hold documents that are gone by now, or hidden.
    """
    state = releases.state(tenant, Roles.QUERY_ENCODER)
    documents = releases.live(tenant, Roles.DOCUMENT_ENCODER)
    for version in (state.live, *state.history[:1]):
        encoder = state.artifact(version)
        if encoder is None or version == plan.query_encoder:
            continue
        fitting = releases.retrieval_for(tenant, version, wanted=plan.retrieval)
        other = _plan(releases, encoder, documents, releases.artifact(Roles.RETRIEVAL, fitting))
        if other.index == plan.index:
            yield other


def _plan(
    releases: ReleaseView, query_encoder: Artifact, documents: Artifact, retrieval: Artifact
) -> Plan:
    # The query encoder decides: its vectors only mean something beside those that it fits.
    fits = query_encoder.fits or documents.version
    document_encoder = releases.artifact(Roles.DOCUMENT_ENCODER, fits)
    if document_encoder.index is None:
        raise FailedPrecondition(f"document-encoder {fits} names no index")
    return Plan(
        versions={
            Roles.QUERY_ENCODER: query_encoder.version,
            Roles.DOCUMENT_ENCODER: document_encoder.version,
            Roles.RETRIEVAL: retrieval.version,
        },
        recipe=recipe_of(retrieval),
        index=document_encoder.index,
    )
