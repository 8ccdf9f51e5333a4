"""`gyre explain`: the whole story of one answer."""

from typing import TYPE_CHECKING, Annotated

import typer

from gyre_cli.command import Cli, command
from gyre_cli.last_answer import interaction_id
from gyre_cli.output import plain

if TYPE_CHECKING:
    from gyre.telemetry.v1.telemetry_pb2 import Interaction
    from gyre_client import AsyncClient


@command
def explain(
    cli: Cli,
    answer: Annotated[
        str,
        typer.Argument(metavar="[ID]", help="The answer's id or its beginning [the last answer]."),
    ] = "",
) -> None:
    """Tell how an answer was made.

    Prompt, versions, passages and scores, verdicts, votes, time.
    """
    from gyre_cli.story_view import story_page

    async def story_of(gyre: "AsyncClient") -> "Interaction":
        return await gyre.history.explain(await interaction_id(gyre, answer, cli.settings))

    story = plain(cli.run(story_of))
    cli.out.result(story, lambda: story_page(story))
