"""/v1/sources: the places that documents are fetched from, again and again."""

from datetime import UTC
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from google.protobuf.json_format import MessageToDict
from gyre.ingestor.v1 import sources_pb2
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.identity import Gyre
from gyre_gateway.replies import MOMENT, Json, as_json, page, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["documents"], route_class=Route)


class SourceBody(BaseModel):
    """`kind` and its `settings` are as /v1/source-kinds has them, `schedule` is a cron expression
    of five fields in UTC. What is left out has its default, also of a source that is there.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "folder",
                    "settings": {"path": "/srv/handbook", "include": "*.md,*.pdf"},
                    "schedule": "0 3 * * *",
                    "acl": ["staff"],
                }
            ]
        },
    )

    kind: Annotated[str, Field(min_length=1)]
    settings: dict[str, str] = {}
    schedule: str = ""
    acl: list[str] = []


_ADDED = sources_pb2.SourceStatus(
    source=sources_pb2.Source(
        name="handbook",
        kind="folder",
        settings={"path": "/srv/handbook"},
        schedule="0 3 * * *",
        acl=["staff"],
    ),
    state=sources_pb2.SOURCE_STATE_NEW,
    generation=1,
    actor="ann",
    changed_at=MOMENT,
)
_SOURCE = as_json(
    sources_pb2.SourceStatus(
        source=_ADDED.source,
        state=sources_pb2.SOURCE_STATE_SYNCED,
        documents=42,
        last_sync=sources_pb2.Sync(
            began_at=MOMENT,
            ended_at=MOMENT,
            reason="scheduled",
            outcome="succeeded",
            listed=42,
            added=1,
            unchanged=41,
        ),
        next_sync_at=MOMENT,
        generation=1,
        actor="ann",
        changed_at=MOMENT,
    )
)
_KIND = sources_pb2.SourceKind(
    kind="folder",
    settings=[sources_pb2.SourceSetting(name="path", description="Absolute.", required=True)],
)
_PAUSED: Json = {"name": "handbook", "paused": True}


@router.get("/v1/sources", summary="List sources", responses=replying(page([_SOURCE])))
async def list_sources(gyre: Gyre) -> Json:
    """By name, with how far each is; `last_sync.error` says what is wrong, and what to do."""
    return page(map(as_json, await gyre.sources.list()))


@router.get(
    "/v1/source-kinds",
    summary="List what sources may be",
    responses=replying(page([as_json(_KIND)])),
)
async def list_kinds(gyre: Gyre) -> Json:
    """Each kind with its settings."""
    return page(map(as_json, await gyre.sources.kinds()))


@router.put(
    "/v1/sources/{name}", summary="Add or change a source", responses=replying(as_json(_ADDED))
)
async def put(name: str, body: SourceBody, gyre: Gyre) -> Json:
    """It is synced at once. Its documents are called as name/… within it.

    A login in a setting is refused: `secret` names one that the operator wrote down.
    """
    status = await gyre.sources.put(
        name, body.kind, body.settings, schedule=body.schedule, acl=body.acl
    )
    return as_json(status)


@router.post(
    "/v1/sources/{name}/sync",
    summary="Sync a source",
    status_code=HTTPStatus.ACCEPTED,
    responses=replying(
        {"name": "handbook", "requested_at": MessageToDict(MOMENT)}, HTTPStatus.ACCEPTED
    ),
)
async def sync(name: str, gyre: Gyre) -> Json:
    """It is done once a sync has ended that began at `requested_at` or later."""
    at = await gyre.sources.sync(name)
    return {"name": name, "requested_at": at.astimezone(UTC).isoformat().replace("+00:00", "Z")}


@router.post("/v1/sources/{name}/pause", summary="Pause a source", responses=replying(_PAUSED))
async def pause(name: str, gyre: Gyre) -> Json:
    """No sync goes on or begins; its documents stay."""
    await gyre.sources.pause(name)
    return {"name": name, "paused": True}


@router.post(
    "/v1/sources/{name}/resume",
    summary="Resume a source",
    responses=replying({**_PAUSED, "paused": False}),
)
async def resume(name: str, gyre: Gyre) -> Json:
    """It is synced at once."""
    await gyre.sources.resume(name)
    return {"name": name, "paused": False}


@router.delete(
    "/v1/sources/{name}",
    summary="Remove a source",
    status_code=HTTPStatus.ACCEPTED,
    responses=replying({"name": "handbook", "removed": True}, HTTPStatus.ACCEPTED),
)
async def remove(
    name: str,
    gyre: Gyre,
    keep_documents: Annotated[bool, Query(description="Leave what it brought.")] = False,
) -> Json:
    """It is listed as being removed until its documents are gone."""
    await gyre.sources.remove(name, keep_documents=keep_documents)
    return {"name": name, "removed": True}
