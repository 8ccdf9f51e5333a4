"""/v1/runs and /v1/datasets: how versions are learned, and from what."""

from fastapi import APIRouter

from gyre_gateway.disconnect import ReadingRoute
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import Json, as_json, page

router = APIRouter(tags=["training"], route_class=ReadingRoute)


@router.get("/v1/runs", summary="List runs")
async def list_runs(gyre: Gyre) -> Json:
    """Newest first."""
    return page(map(as_json, await gyre.runs.list()))


@router.get("/v1/runs/{run_id}", summary="Show a run")
async def show(run_id: str, gyre: Gyre) -> Json:
    """How far it is, or what came of it: numbers, the gate's report and verdict."""
    return as_json(await gyre.runs.get(run_id))


@router.get("/v1/datasets", summary="List data sets")
async def list_data_sets(gyre: Gyre) -> Json:
    """Frozen, newest first, without their cards."""
    return page(map(as_json, await gyre.data_sets.list()))
