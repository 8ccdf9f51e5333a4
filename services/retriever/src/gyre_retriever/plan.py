"""Which versions serve a request, and which could in their place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gyre_common.context import RequestContext
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import FITTED_ROLES, fits
from gyre_common.retrieval_settings import RetrievalSettings, retrieval_settings


@dataclass(frozen=True)
class Plan:
    """The versions of one request, and what follows from them."""

    versions: Mapping[str, str]
    recipe: RetrievalSettings
    index: str

    @property
    def query_encoder(self) -> str:
        """The version that encodes the query."""
        return self.versions[Roles.QUERY_ENCODER]


def plan_of(releases: ReleaseView, context: RequestContext, sticky_key: str) -> Plan:
    """The versions of a request.

    Raises:
        FailedPrecondition: a version is not known here, or the encoders do not fit each other.
    """
    versions = releases.for_request(context, sticky_key).versions
    documents, queries, retrieval = (
        releases.artifact(role, versions[role])
        if role in versions
        else releases.live(context.tenant, role)
        for role in FITTED_ROLES
    )
    if not fits(queries, documents.version):
        raise FailedPrecondition(
            f"query-encoder {queries.version} fits document-encoder {queries.fits}, not "
            f"{documents.version}"
        )
    if documents.index is None:
        raise FailedPrecondition(f"document-encoder {documents.version} names no index")
    return Plan(
        versions={role: versions[role] for role in FITTED_ROLES},
        recipe=retrieval_settings(retrieval),
        index=documents.index,
    )


def fallback_plans(releases: ReleaseView, context: RequestContext, plan: Plan) -> Iterator[Plan]:
    """Live in place of a canary, then what was live before: as far as they search the same index.

    Another index may hold documents that are gone by now, or hidden.
    """
    state = releases.state(context.tenant, Roles.QUERY_ENCODER)
    for version in (state.live, *state.history[:1]):
        if version == plan.query_encoder or state.artifact(version) is None:
            continue
        versions = {**context.versions, Roles.QUERY_ENCODER: version}
        other = plan_of(releases, replace(context, versions=versions), "")
        if other.index == plan.index:
            yield other
