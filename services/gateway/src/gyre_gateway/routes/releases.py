"""/v1/releases: which version of every role is live, and the changes of it."""

from typing import Annotated

from fastapi import APIRouter
from gyre.releases.v1 import releases_pb2
from gyre_client.releases import Change
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import MOMENT, Json, as_json, page, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["releases"], route_class=Route)

_FIELDS = {"expected_generation": "generation", "actor": "gyre-actor"}

Generation = Annotated[int, Field(ge=0, lt=2**63)]


class RollbackBody(BaseModel):
    """`tenant` says whose: the caller's, or `*` for what everybody has.

    `generation` is the one that the caller saw: 409 where the role has another by now.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"tenant": "*", "reason": "it abstains too often", "generation": 3}]
        },
    )

    tenant: str = ""
    reason: str = ""
    generation: Generation = 0


class PromoteBody(BaseModel):
    """`override` makes a version live that no gate let pass: it needs a reason, and is recorded.

    `tenant` says whose: the caller's, or `*` for what everybody has. `generation` is the one that
    the caller saw: 409 where the role has another by now.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"version": "extractive-2", "tenant": "*", "reason": "shorter answers"}]
        },
    )

    version: Annotated[str, Field(min_length=1)]
    tenant: str = ""
    reason: str = ""
    override: bool = False
    generation: Generation = 0


_ARTIFACT = releases_pb2.Artifact(
    version="extractive-2",
    settings={"backend": "extractive"},
    registered_at=MOMENT,
    evidence={"gate": "passed"},
)
_RELEASE = releases_pb2.Release(
    tenant="*",
    role="generator",
    generation=3,
    live="extractive-2",
    artifacts=[_ARTIFACT],
    history=["extractive-1"],
    reason="shorter answers",
    actor="ann",
    changed_at=MOMENT,
)
_CHANGED = replying(
    {**as_json(_RELEASE), "before": "extractive-1", "went_along": {}, "seconds": 0.412}
)


@router.get("/v1/releases", summary="List releases", responses=replying(page([as_json(_RELEASE)])))
async def list_releases(gyre: Gyre) -> Json:
    """Every role: what is live, its generation, the versions there are, those that were live."""
    return page(map(as_json, (await gyre.releases.list()).values()))


@router.get(
    "/v1/releases/{role:path}/versions/{version}",
    summary="Show a version",
    responses=replying({**as_json(_ARTIFACT), "live": True}),
)
async def show(role: str, version: str, gyre: Gyre) -> Json:
    """With its settings, and in `evidence` what speaks for it."""
    reply = await gyre.releases.version(role, version)
    return {**as_json(reply.artifact), "live": reply.live}


@router.post("/v1/releases/{role:path}/promote", summary="Make a version live", responses=_CHANGED)
async def promote(role: str, body: PromoteBody, gyre: Gyre) -> Json:
    """The role after it, what was live `before`, and the roles that `went_along`."""
    with renamed(_FIELDS):
        return _change(await gyre.releases.promote(role, **body.model_dump()))


@router.post(
    "/v1/releases/{role:path}/rollback",
    summary="Make the version before live",
    responses=_CHANGED,
)
async def rollback(role: str, gyre: Gyre, body: RollbackBody) -> Json:
    """As promote; 409 where none was live before."""
    with renamed(_FIELDS):
        return _change(await gyre.releases.rollback(role, **body.model_dump()))


def _change(change: Change) -> Json:
    return {
        **as_json(change.after[change.role]),
        "before": change.before[change.role].live,
        "went_along": {role: change.after[role].live for role in change.went_along},
        "seconds": round(change.seconds, 3),
    }
