"""/v1/interactions: what was asked, and the whole story of each answer."""

from fastapi import APIRouter
from gyre.telemetry.v1 import telemetry_pb2

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import (
    MOMENT,
    PAGE_FIELDS,
    After,
    Json,
    Limit,
    Moment,
    as_json,
    page,
    replying,
)
from gyre_gateway.routing import Route

router = APIRouter(tags=["history"], route_class=Route)


_COMMON: Json = {
    "interaction_id": "0199a1b2-0000-7000-8000-000000000001",
    "conversation_id": "chat-1f3a",
    "completed_at": MOMENT,
    "question": "How hot should the water for green tea be?",
    "answer": "Water for green tea should be about 80 degrees.",
    "outcome": "answered",
    "versions": {"generator": "extractive-1", "query-encoder": "minilm-1"},
    "actor": "ann",
}
_SUMMARY = telemetry_pb2.InteractionSummary(**_COMMON, thumbs_up=1)
_STORY = telemetry_pb2.Interaction(
    **_COMMON,
    tenant="default",
    started_at=MOMENT,
    latency_ms={"retrieve": 21.4, "generate": 12.9, "total": 41.5},
    guardrails=[telemetry_pb2.Guardrail(name="grounding", passed=True)],
    retrieved=[
        telemetry_pb2.RetrievedPassage(
            rank=1,
            chunk_id="0199a1b2-0000-5000-8000-00000000000c",
            document_id="kitchen/tea.md",
            title="Tea",
            text="Water for green tea should be about 80 degrees.",
            score=0.93,
            scores={"lexical": 11.2, "dense": 0.81},
            used=True,
        )
    ],
)


@router.get(
    "/v1/interactions",
    summary="List interactions",
    responses=replying(page([as_json(_SUMMARY)])),
)
async def list_interactions(
    gyre: Gyre,
    limit: Limit = 100,
    after: After = "",
    since: Moment | None = None,
    until: Moment | None = None,
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


@router.get(
    "/v1/interactions/{interaction_id}",
    summary="Explain an answer",
    responses=replying(as_json(_STORY)),
)
async def show(interaction_id: str, gyre: Gyre) -> Json:
    """Prompt, passages with their scores, guardrails, verdicts, votes, latency by stage.

    One given just now is waited for, up to 5 s.
    """
    return as_json(await gyre.history.explain(interaction_id))
