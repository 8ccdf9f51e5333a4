"""`gyre dlq`: the records that could not be handled, and why."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import Json, one_line, plain, table
from gyre_cli.settings import login_name

if TYPE_CHECKING:
    from gyre.telemetry.v1.telemetry_pb2 import DeadLetter

_LONGEST_VALUE = 400
_CAUSE = ("kind", "error", "message", "attempts", "group", "size")

dlq = group("Look at the records that could not be handled, and let held partitions go on.")


@dlq.command("list")
@command
def list_topics(cli: Cli) -> None:
    """Count the dead letters of each topic."""
    counts = cli.run(lambda gyre: gyre.dead_letters.list())
    rows = table("TOPIC", "DEAD LETTERS", right=("DEAD LETTERS",))
    for topic, count in counts.items():
        rows.add_row(topic, Text(str(count), style="red" if count else "dim"))
    cli.out.result(
        [{"topic": topic, "count": count} for topic, count in counts.items()], lambda: rows
    )


@dlq.command("show")
@command
def show(
    cli: Cli,
    topic: Annotated[str, Argument(help="With or without .dlq at its end.")],
    limit: Annotated[int, Option(min=1, max=1_000, help="How many, newest first.")] = 10,
) -> None:
    """Show the newest dead letters of one topic, and why each was parked."""
    letters = cli.run(lambda gyre: gyre.dead_letters.show(topic, limit=limit))
    parts = [part for letter in letters for part in _one(letter)]
    cli.out.result(
        [as_json(letter) for letter in letters], lambda: Group(*parts or ["no dead letters"])
    )


@dlq.command("skip")
@command
def skip(
    cli: Cli,
    topic: Annotated[str, Argument(help="As `gyre status` names it.")],
    partition: Annotated[int, Argument(min=0)],
    offset: Annotated[int, Argument(min=0)],
    reason: Annotated[str, Option(help="Why; it is kept with the record.")],
    actor: Annotated[str | None, Option(help="Who decides [the user of this machine].")] = None,
) -> None:
    """Let a held partition go on: park the record it is held at, and pass over it."""
    who = actor or login_name()
    skipped = cli.run(
        lambda gyre: gyre.dead_letters.skip(topic, partition, offset, actor=who, reason=reason)
    )
    cli.out.result(
        [{"group": one.group, "cause": one.cause, "goes_on": one.goes_on} for one in skipped],
        lambda: "\n".join(
            f"{one.group} goes on behind {topic} {partition} {offset}"
            + ("" if one.goes_on else " once it runs: see `gyre status`")
            for one in skipped
        ),
    )


def as_json(letter: "DeadLetter") -> dict[str, Json]:
    """For programs; bytes that are not UTF-8 become `\\xNN`."""
    data: dict[str, Any] = {**plain(letter)}
    cause = data.pop("cause") or {}
    origin = f"{cause['topic']}/{cause['partition']}/{cause['offset']}" if cause else None
    about = {name: cause.get(name) for name in _CAUSE}
    return {**data, **about, "digest": cause.get("digest") or None, "origin": origin}


def _one(letter: "DeadLetter") -> Iterator[RenderableType]:
    data = as_json(letter)
    parked_at = f"{letter.parked_at.ToDatetime():%Y-%m-%d %H:%M:%S}"
    head = Text(f"#{letter.offset}  {parked_at}  ", style="bold")
    error = one_line(f"{data['kind'] or 'unknown cause'} {data['error'] or ''}")
    yield head.append(error, style="red")
    yield f"    {one_line(str(data['message'] or ''))}"
    whence = (
        f"from {data['origin']}, {data['attempts']} attempts by {data['group']}, key {data['key']}"
    )
    yield Text(f"    {one_line(whence)}", style="dim")
    value = str(data["value"])
    if data["digest"]:
        value = f"too large to be kept: {data['size']} bytes, {data['digest']}"
    value = one_line(value)
    yield f"    {value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + '…'}\n"
