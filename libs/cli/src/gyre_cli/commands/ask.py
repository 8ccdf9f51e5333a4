"""`gyre ask`: an answer as it is made, and the passages it rests on."""

from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import GyreError

from gyre_cli.answer_view import below
from gyre_cli.command import Cli, command
from gyre_cli.last_answer import LastAnswer, remember
from gyre_cli.output import plain, printable

if TYPE_CHECKING:
    from gyre.generator.v1.generator_pb2 import AnswerResponse
    from gyre_client import AsyncClient


@command
def ask(
    cli: Cli,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    conversation: Annotated[
        str, typer.Option(help="Id of a conversation, so that versions stay the same.")
    ] = "",
    acl: Annotated[list[str] | None, typer.Option(help="Group you belong to; repeatable.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All passages that were found, and their ids.")
    ] = False,
) -> None:
    """Ask a question; the answer streams, its sources follow."""
    groups = tuple(acl or ())
    answer = cli.run(
        lambda gyre: _ask(cli, gyre.with_caller(groups=groups), question, conversation)
    )
    outcome = _outcome(answer)
    chunk_ids = [passage.chunk_id for passage in answer.passages]
    remembered = remember(cli.settings, LastAnswer(answer.interaction_id, question, chunk_ids))
    if cli.out.as_json:
        cli.out.json({**plain(answer), "outcome": outcome})
    else:
        lines = below(answer, everything=everything, remembered=remembered)
        typer.echo("\n".join(lines))
    if outcome == "error":
        raise GyreError(
            f"no answer could be made: see `gyre explain {answer.interaction_id}` and `gyre logs`"
        )


async def _ask(cli: Cli, gyre: "AsyncClient", question: str, conversation: str) -> "AnswerResponse":
    last = ""
    async for piece in gyre.answers.stream(question, conversation_id=conversation):
        if piece.HasField("finished"):
            if last and not last.endswith("\n") and not cli.out.as_json:
                cli.out.write("\n")
            return piece.finished
        if piece.delta.text and not cli.out.as_json:
            last = printable(piece.delta.text)
            cli.out.write(last)
    raise AssertionError("a stream ends with the answer, or raises")


def _outcome(answer: "AnswerResponse") -> str:
    from gyre.generator.v1 import generator_pb2

    return generator_pb2.Outcome.Name(answer.outcome).removeprefix("OUTCOME_").lower()
