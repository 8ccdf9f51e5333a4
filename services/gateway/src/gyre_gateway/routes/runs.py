"""/v1/runs and /v1/datasets: how versions are learned, and from what."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, GyreError
from pydantic import BaseModel, ConfigDict
from sse_starlette import ServerSentEvent

from gyre_gateway.errors import error_body, renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import MOMENT, Json, as_json, page, replying
from gyre_gateway.routing import Route
from gyre_gateway.streaming import event, event_stream

router = APIRouter(tags=["training"], route_class=Route)


class RunBody(BaseModel):
    """`settings` are the recipe's, where they differ from its own; `hold` leaves a version that
    passes unreleased; `profile` is default or demo. `resume` is the id of a run that was stopped,
    was interrupted or failed: it goes on with what it was started with, so only `reason` may stand
    beside it.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"role": "generator", "settings": {"epochs": "2"}}]},
    )

    recipe: str = ""
    role: str = ""
    profile: str = ""
    hold: bool = False
    settings: dict[str, str] = {}
    resume: str = ""
    reason: str = ""


_RUN = as_json(
    trainer_pb2.Run(
        run_id="0199a1b2-0000-7000-8000-000000000003",
        tenant="default",
        recipe="query-encoder",
        role="query-encoder",
        profile="default",
        state="running",
        stage="train",
        step=120,
        steps=400,
        metrics={"loss": 0.42},
        base="minilm-1",
        actor="ann",
        started_at=MOMENT,
        votes=809,
    )
)
_DATA_SET = trainer_pb2.DataSet(
    digest="sha256:9f2c",
    tenant="default",
    frozen_at=MOMENT,
    train_questions=650,
    gate_questions=159,
)


@router.get("/v1/runs", summary="List runs", responses=replying(page([_RUN])))
async def list_runs(gyre: Gyre) -> Json:
    """Newest first."""
    return page(map(as_json, await gyre.runs.list()))


@router.post(
    "/v1/runs",
    summary="Start or resume a run",
    status_code=HTTPStatus.CREATED,
    responses=replying(_RUN, HTTPStatus.CREATED),
)
async def start(gyre: Gyre, body: RunBody | None = None) -> Json:
    """409 while another of the same tenant and role goes on, where training is not installed, or
    where there is nothing to resume.
    """
    with renamed({"actor": "gyre-actor"}):
        return as_json(await gyre.runs.start(**(body or RunBody()).model_dump()))


@router.get("/v1/runs/{run_id}", summary="Show a run", responses=replying(_RUN))
async def show(run_id: str, gyre: Gyre) -> Json:
    """How far it is, or what came of it: numbers, the gate's report and verdict."""
    return as_json(await gyre.runs.get(run_id))


@router.get("/v1/runs/{run_id}/events", summary="Follow a run", response_class=Response)
async def follow(run_id: str, request: Request, gyre: Gyre) -> Response:
    """Server-sent events: the run as it is, then after each change, until it has ended."""
    await gyre.runs.get(run_id)  # so that a refusal is one by its status
    return event_stream(request, _changes(gyre, run_id))


@router.post(
    "/v1/runs/{run_id}/cancel",
    summary="Stop a run",
    responses=replying({**_RUN, "state": "cancelled"}),
)
async def cancel(run_id: str, gyre: Gyre) -> Json:
    """The run once it has stopped; it can be resumed."""
    return as_json(await gyre.runs.cancel(run_id))


@router.get(
    "/v1/datasets", summary="List data sets", responses=replying(page([as_json(_DATA_SET)]))
)
async def list_data_sets(gyre: Gyre) -> Json:
    """Frozen, newest first, without their cards."""
    return page(map(as_json, await gyre.data_sets.list()))


async def _changes(gyre: AsyncClient, run_id: str) -> AsyncIterator[ServerSentEvent]:
    try:
        async with aclosing(gyre.runs.watch(run_id)) as changes:
            async for run in changes:
                yield event(as_json(run))
    except GyreError as error:
        yield event(error_body(error)[1])
