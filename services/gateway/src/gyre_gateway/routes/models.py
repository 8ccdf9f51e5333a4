"""GET /v1/models: the versions that can be asked for by name."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import APIRouter
from gyre.releases.v1 import releases_pb2
from gyre_client import AsyncClient, FailedPrecondition, InvalidInput, NotFound

from gyre_gateway.errors import Refused
from gyre_gateway.identity import Gyre
from gyre_gateway.question import LIVE
from gyre_gateway.replies import Json, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["OpenAI"], route_class=Route)

ROLES = ("generator", "query-encoder", "document-encoder")
"""Answers come from the first, vectors from the others."""


_EXAMPLE: Json = {
    "id": LIVE,
    "object": "model",
    "created": 0,
    "owned_by": "gyre",
    "gyre": {"role": "answers", "live": True},
}


@router.get(
    "/v1/models",
    summary="List models",
    responses=replying({"object": "list", "data": [_EXAMPLE]}),
)
async def list_models(gyre: Gyre) -> Json:
    """`gyre` is what is live."""
    return {"object": "list", "data": [*_models(await gyre.releases.list())]}


@router.get("/v1/models/{model:path}", summary="Show a model", responses=replying(_EXAMPLE))
async def show_model(model: str, gyre: Gyre) -> Json:
    """404 where there is none of that name."""
    for one in _models(await gyre.releases.list()):
        if one["id"] == model:
            return one
    raise NotFound(f"there is no model {model[:100]}: see /v1/models")


@asynccontextmanager
async def named_model(gyre: AsyncClient, model: str) -> AsyncIterator[None]:
    """A refusal by a service, where there is no such model, becomes the one that OpenAI's clients
    know. Raises Refused, or what the service raised.
    """
    try:
        yield
    except (InvalidInput, FailedPrecondition) as error:
        if model == LIVE or model in [each["id"] for each in _models(await gyre.releases.list())]:
            raise
        raise Refused(
            HTTPStatus.NOT_FOUND,
            f"model {model[:100]} is not there: use {LIVE}, or another of /v1/models",
            code="model_not_found",
        ) from error


def _models(releases: Mapping[str, releases_pb2.Release]) -> Iterator[Json]:
    yield _model(LIVE, 0, "answers", live=True)
    names = {LIVE}
    for role in ROLES:
        if role not in releases:
            continue
        release = releases[role]
        for artifact in release.artifacts:
            if artifact.version not in names:
                names.add(artifact.version)
                created = artifact.registered_at.seconds
                live = artifact.version == release.live
                yield _model(artifact.version, created, role, live=live)


def _model(name: str, created: int, role: str, *, live: bool) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "gyre",
        "gyre": {"role": role, "live": live},
    }
