"""`gyre ask`: an answer as it is made, and the passages it rests on."""

import asyncio
from contextlib import aclosing
from typing import Annotated

import typer
from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre_common.errors import GyreError
from gyre_common.events.event import new_id
from gyre_common.rpc import stream
from rich.text import Text

from gyre_cli.answer_view import below
from gyre_cli.command import Cli, command
from gyre_cli.output import Json, plain
from gyre_cli.rpc import connected

_TIMEOUT = 120.0


@command
def ask(
    cli: Cli,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    conversation: Annotated[
        str, typer.Option(help="Id of a conversation, so that versions stay the same.")
    ] = "",
    acl: Annotated[list[str] | None, typer.Option(help="Group you belong to; repeatable.")] = None,
) -> None:
    """Ask a question; the answer streams, its sources follow."""
    answer = asyncio.run(_ask(cli, question, conversation, tuple(acl or ())))
    cli.out.result(_json(answer), lambda: below(answer))
    if answer.outcome == generator_pb2.OUTCOME_ERROR:
        raise GyreError(
            f"no answer could be made: see `gyre explain {answer.interaction_id}` and `gyre logs`"
        )


async def _ask(
    cli: Cli, question: str, conversation: str, acl: tuple[str, ...]
) -> generator_pb2.AnswerResponse:
    settings = cli.settings
    request = generator_pb2.AnswerRequest(
        question=question, conversation_id=conversation, idempotency_key=str(new_id())
    )
    async with (
        connected(GeneratorServiceStub, settings.generator_address, settings, acl=acl) as stub,
        aclosing(stream(stub.StreamAnswer, request, timeout=_TIMEOUT)) as pieces,
    ):
        async for piece in pieces:
            if piece.HasField("finished"):
                finished: generator_pb2.AnswerResponse = piece.finished
                return finished
            if not cli.out.as_json:
                cli.out.console.print(Text(piece.delta.text), end="", soft_wrap=True)
    raise GyreError("the answer broke off: ask again, and see `gyre logs generator`")


def _json(answer: generator_pb2.AnswerResponse) -> Json:
    outcome = generator_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_").lower()
    return {**plain(answer), "outcome": outcome}
