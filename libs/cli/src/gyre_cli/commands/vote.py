"""`gyre vote`: says what an answer was worth."""

import asyncio
from typing import Annotated

import typer
from gyre.feedback.v1 import feedback_pb2
from gyre.feedback.v1.feedback_pb2_grpc import FeedbackServiceStub
from gyre_common.errors import InvalidInput
from gyre_common.events.event import new_id
from gyre_common.rpc import call
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.rpc import connected

_RATINGS = ("1", "2", "3", "4", "5")


@command
def vote(
    cli: Cli,
    interaction_id: Annotated[str, typer.Argument(help="The id that `gyre ask` printed.")],
    value: Annotated[str | None, typer.Argument(help="up, down, or 1 to 5.")] = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    correction: Annotated[str, typer.Option(help="The better answer.")] = "",
    chunk: Annotated[str, typer.Option(help="Vote on this passage instead of the answer.")] = "",
) -> None:
    """Vote on an answer: a thumb, a rating, a comment, a correction, or several of them."""
    requests = _requests(interaction_id, value or "", comment, correction, chunk)
    ids = asyncio.run(_send(cli, requests))
    said = [
        {"feedback_id": feedback_id, "kind": _kind(request)}
        for feedback_id, request in zip(ids, requests, strict=True)
    ]
    cli.out.result(
        {"interaction_id": interaction_id, "feedback": said},
        lambda: Text(f"recorded: {', '.join(str(one['kind']) for one in said)}"),
    )


def _requests(
    interaction_id: str, value: str, comment: str, correction: str, chunk: str
) -> list[feedback_pb2.SubmitFeedbackRequest]:
    """One for each thing said; a comment goes with the vote, and alone when there is none."""
    made = []
    if value or chunk:
        if not chunk and value not in ("up", "down", *_RATINGS):
            raise InvalidInput("VALUE", f"is {value}", "say up, down or a rating from 1 to 5")
        kind = feedback_pb2.KIND_RATING if value in _RATINGS else feedback_pb2.KIND_THUMB
        made.append(
            feedback_pb2.SubmitFeedbackRequest(
                kind=feedback_pb2.KIND_CHUNK if chunk else kind,
                value=value,
                target=chunk,
                comment=comment,
            )
        )
    elif comment:
        made.append(
            feedback_pb2.SubmitFeedbackRequest(kind=feedback_pb2.KIND_COMMENT, comment=comment)
        )
    if correction:
        made.append(
            feedback_pb2.SubmitFeedbackRequest(kind=feedback_pb2.KIND_CORRECTION, value=correction)
        )
    if not made:
        raise InvalidInput(
            "VALUE", "is missing", "say up, down or 1 to 5, or give --comment or --correction"
        )
    for request in made:
        request.interaction_id = interaction_id
        request.idempotency_key = str(new_id())
    return made


async def _send(cli: Cli, requests: list[feedback_pb2.SubmitFeedbackRequest]) -> list[str]:
    settings = cli.settings
    async with connected(FeedbackServiceStub, settings.feedback_address, settings) as stub:
        ids = []
        for request in requests:
            request.actor = settings.actor
            reply = await call(stub.SubmitFeedback, request)
            ids.append(reply.feedback_id)
        return ids


def _kind(request: feedback_pb2.SubmitFeedbackRequest) -> str:
    return feedback_pb2.Kind.Name(request.kind).removeprefix("KIND_").lower()
