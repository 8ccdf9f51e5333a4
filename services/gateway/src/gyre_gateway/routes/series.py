"""GET /v1/series/{view}: the rows of ClickHouse's views, for charts."""

from fastapi import APIRouter
from google.protobuf.json_format import MessageToDict

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import PAGE_FIELDS, After, Json, Limit, Moment, as_json, page, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["history"], route_class=Route)


_EXAMPLE: Json = {
    "columns": [{"name": "day", "type": "Date", "description": "of the answers, in UTC"}],
    **page([{"day": "2026-01-01"}]),
}


@router.get("/v1/series/{view}", summary="Read a view", responses=replying(_EXAMPLE))
async def show(
    view: str,
    gyre: Gyre,
    limit: Limit = 100,
    after: After = "",
    since: Moment | None = None,
    until: Moment | None = None,
) -> Json:
    """Rows, newest first, and what their columns are. A wrong name is told the right ones."""
    with renamed(PAGE_FIELDS):
        reply = await gyre.history.series_page(
            view, since=since, until=until, page_size=limit, page_token=after
        )
    columns = [as_json(column) for column in reply.columns]
    return {"columns": columns, **page(map(MessageToDict, reply.rows), reply.next_page_token)}
