"""`gyre explain`: the whole story of one answer."""

import time
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from gyre_common.errors import InvalidInput, NotFound

from gyre_cli.command import Cli, command
from gyre_cli.story_view import story_page

if TYPE_CHECKING:
    from gyre_cli.clickhouse_stories import Row, Stories

_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.25


@command
def explain(
    cli: Cli,
    interaction_id: Annotated[str, typer.Argument(help="The id that `gyre ask` printed.")],
) -> None:
    """Tell how an answer was made: prompt, versions, passages and scores, verdicts, votes, time."""
    from gyre_cli.clickhouse_stories import open_stories  # its client is slow to import

    wanted = _uuid(interaction_id)
    with open_stories(cli.settings) as stories, cli.out.notes.status("waiting for ClickHouse"):
        story = _until_landed(stories, cli.settings.tenant, wanted)
    cli.out.result(story, lambda: story_page(story))


def _until_landed(stories: "Stories", tenant: str, interaction_id: UUID) -> "Row":
    """An answer reaches ClickHouse a moment after it was given."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (story := stories.story(tenant, interaction_id)) is None:
        if time.monotonic() > deadline:
            raise NotFound(
                f"tenant {tenant} has no answer {interaction_id}: check the id and --tenant; if it "
                "was given just now, see with `gyre status` whether telemetry is behind"
            )
        time.sleep(_POLL_SECONDS)
    return story


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(
            "INTERACTION_ID", "is not a UUID", "give what `gyre ask` printed"
        ) from None
