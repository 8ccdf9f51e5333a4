"""`gyre vote`: says what an answer was worth. `gyre explain`: the whole story of one."""

from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import InvalidInput

from gyre_cli.command import Cli, command
from gyre_cli.last_answer import chunk_id, interaction_id, recall
from gyre_cli.output import plain

if TYPE_CHECKING:
    from gyre.telemetry.v1.telemetry_pb2 import Interaction
    from gyre_client import AsyncClient

_VALUES = ("up", "down", "1", "2", "3", "4", "5")

AnswerId = Annotated[
    str,
    typer.Argument(metavar="[ID]", help="The answer's id or its beginning [the last answer]."),
]


@command
def vote(
    cli: Cli,
    answer: AnswerId = "",
    value: Annotated[str, typer.Argument(help="up, down, or 1 to 5.")] = "",
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    correction: Annotated[str, typer.Option(help="The better answer.")] = "",
    chunk: Annotated[
        str, typer.Option(help="Vote on this passage instead, by its id or its beginning.")
    ] = "",
) -> None:
    """Say what an answer was worth.

    A thumb, a rating, a comment, a correction, or several of them.
    """
    if answer in _VALUES and not value:  # `gyre vote up`
        answer, value = "", answer
    if value and value not in _VALUES:
        raise InvalidInput("VALUE", f"is {value}", "say up, down or a rating from 1 to 5")
    if not (value or comment or correction):
        raise InvalidInput(
            "VALUE", "is missing", "say up, down or 1 to 5, or give --comment or --correction"
        )

    async def send(gyre: "AsyncClient") -> tuple[str, dict[str, str]]:
        answer_id = await interaction_id(gyre, answer, cli.settings)
        passage = await chunk_id(gyre, chunk, answer_id, cli.settings)
        words = await gyre.feedback.vote(
            answer_id, value, comment=comment, correction=correction, chunk_id=passage
        )
        return answer_id, words

    voted_on, ids = cli.run(send)
    if cli.out.as_json:
        feedback = [{"feedback_id": one, "kind": kind} for kind, one in ids.items()]
        cli.out.json({"interaction_id": voted_on, "feedback": feedback})
    else:
        about = voted_on if answer else f"“{recall(cli.settings).question}”"
        typer.echo(f"recorded: {', '.join(ids)} on {about}")


@command
def explain(cli: Cli, answer: AnswerId = "") -> None:
    """Tell how an answer was made.

    Prompt, versions, passages and scores, verdicts, votes, time.
    """
    from gyre_cli.story_view import story_page

    async def story_of(gyre: "AsyncClient") -> "Interaction":
        return await gyre.history.explain(await interaction_id(gyre, answer, cli.settings))

    story = plain(cli.run(story_of))
    cli.out.result(story, lambda: story_page(story))
