"""/v1/interactions: what was asked, and the whole story of each answer."""

from datetime import datetime

from fastapi import APIRouter

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import PAGE_FIELDS, After, Json, Limit, as_json, page
from gyre_gateway.routing import Route

router = APIRouter(tags=["history"], route_class=Route)


@router.get("/v1/interactions", summary="List interactions")
async def list_interactions(
    gyre: Gyre,
    limit: Limit = 100,
    after: After = "",
    since: datetime | None = None,
    until: datetime | None = None,
    conversation_id: str = "",
    outcome: str = "",
    version: str = "",
    vote: str = "",
    search: str = "",
) -> Json:
    """Newest first: those that the caller asked, or whose documents it may read.

    `outcome` is answered, abstained, error or cancelled; `vote` is up, down or none; `version` that
    of any role; `search` finds words, or parts of words, of question or answer.
    """
    with renamed(PAGE_FIELDS):
        reply = await gyre.history.page(
            page_size=limit,
            page_token=after,
            since=since,
            until=until,
            conversation_id=conversation_id,
            outcome=outcome,
            version=version,
            vote=vote,
            search=search,
        )
    return page(map(as_json, reply.interactions), reply.next_page_token)


@router.get("/v1/interactions/{interaction_id}", summary="Explain an answer")
async def show(interaction_id: str, gyre: Gyre) -> Json:
    """Prompt, passages with their scores, guardrails, verdicts, votes, latency by stage.

    One given just now is waited for, up to 5 s.
    """
    return as_json(await gyre.history.explain(interaction_id))
