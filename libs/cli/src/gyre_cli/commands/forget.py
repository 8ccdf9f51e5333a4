"""`gyre forget`: takes a person, a conversation or a document out of what training keeps."""

from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import InvalidInput
from rich.console import RenderableType
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import plain

if TYPE_CHECKING:
    from gyre.trainer.v1.trainer_pb2 import ForgetResponse


@command
def forget(
    cli: Cli,
    actor: Annotated[str, typer.Option(help="Who asked and voted.")] = "",
    conversation: Annotated[str, typer.Option(help="Id of a conversation.")] = "",
    document: Annotated[str, typer.Option(help="Id of a document.")] = "",
) -> None:
    """Forget what training keeps of a person, a conversation or a document.

    Facts, data sets and runs' folders of the tenant, up to now. The index, ClickHouse and Kafka
    keep theirs.
    """
    subjects = {"actor": actor, "conversation_id": conversation, "document_id": document}
    subject = {name: value for name, value in subjects.items() if value}
    if len(subject) != 1:
        raise InvalidInput(
            "--actor", "is not the only subject" if subject else "is missing", "name one subject"
        )
    removed = cli.run(
        lambda gyre: gyre.facts.forget(
            actor=actor, conversation_id=conversation, document_id=document
        )
    )
    cli.out.result(plain(removed), lambda: _summary(removed))


def _summary(removed: "ForgetResponse") -> RenderableType:
    cleared = removed.cleared_interactions
    return Text(
        f"removed: {removed.interactions} questions, {removed.feedback} votes and comments, "
        f"{removed.passages} texts of passages, {removed.data_sets} data sets, "
        f"{removed.runs} folders of runs"
        + (f"; {cleared} questions stay without what they quoted" if cleared else "")
        + "\nThe index, ClickHouse and Kafka's topics still hold theirs."
    )
