"""GET /v1/models: the versions that can be asked for by name."""

from collections.abc import Iterator, Mapping

from fastapi import APIRouter
from gyre.releases.v1 import releases_pb2
from gyre_client import NotFound

from gyre_gateway.chat_request import LIVE
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import Json

router = APIRouter(tags=["OpenAI"])

ROLES = ("generator", "query-encoder", "document-encoder")
"""Answers come from the first, vectors from the others."""


@router.get("/v1/models", summary="List models")
async def list_models(gyre: Gyre) -> Json:
    """`gyre` is what is live."""
    return {"object": "list", "data": [*_models(await gyre.releases.list())]}


@router.get("/v1/models/{model:path}", summary="Show a model")
async def show_model(model: str, gyre: Gyre) -> Json:
    """404 where there is none of that name."""
    for one in _models(await gyre.releases.list()):
        if one["id"] == model:
            return one
    raise NotFound(f"there is no model {model[:100]}: see /v1/models")


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
