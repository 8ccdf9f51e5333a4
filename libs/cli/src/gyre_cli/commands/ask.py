"""`gyre ask`: an answer as it is made, and the passages it rests on."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Annotated

import typer
from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre_common.errors import GyreError
from gyre_common.events.event import new_id
from gyre_common.rpc import stream
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import Json, plain
from gyre_cli.rpc import connected

_TIMEOUT = 120.0
_LONGEST_QUOTE = 240


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
    cli.out.result(_json(answer), lambda: _epilogue(answer))
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


def _epilogue(answer: generator_pb2.AnswerResponse) -> RenderableType:
    said = "" if not answer.answer or answer.answer.endswith("\n") else "\n"
    return Group(
        Text(said),
        *_sources(answer.citations),
        Text(
            f"vote     gyre vote {answer.interaction_id} up|down|1..5\n"
            f"explain  gyre explain {answer.interaction_id}",
            style="dim",
        ),
    )


def _sources(citations: Iterable[generator_pb2.Citation]) -> Iterable[RenderableType]:
    """Numbered by passage, in the order of the answer; a passage's quotes stand together."""
    passages: dict[str, list[generator_pb2.Citation]] = {}
    for citation in citations:
        passages.setdefault(citation.chunk_id, []).append(citation)
    for number, cited in enumerate(passages.values(), start=1):
        first = cited[0]
        name, where = first.title or first.document_id, first.source_uri or first.document_id
        heading = Text(f"[{number}] {name}", style="bold")
        if where != name:
            heading.append(f"  {where}", style="dim")
        yield heading
        for quote in dict.fromkeys(citation.quote for citation in cited):
            quoted = Text(f"“{_shortened(quote)}”", style="italic")
            yield Padding(quoted, (0, 0, 0, 4), expand=False)
    if passages:
        yield Text("")


def _shortened(quote: str) -> str:
    line = " ".join(quote.split())
    return line if len(line) <= _LONGEST_QUOTE else line[: _LONGEST_QUOTE - 1] + "…"
