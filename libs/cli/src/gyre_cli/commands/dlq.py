"""`gyre dlq`: the records that could not be handled, and why."""

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import Json, plain, printable, table

if TYPE_CHECKING:
    from gyre.telemetry.v1.telemetry_pb2 import DeadLetter, SkippedRecord

_LONGEST_VALUE = 400

dlq = typer.Typer(
    help="Look at the records that could not be handled, and let held partitions go on.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


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
    topic: Annotated[str, typer.Argument(help="With or without .dlq at its end.")],
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 10,
) -> None:
    """Show the newest dead letters of one topic, and why each was parked."""
    letters = cli.run(lambda gyre: gyre.dead_letters.show(topic, limit=limit))
    cli.out.result([as_json(letter) for letter in letters], lambda: _letters_table(letters))


@dlq.command("skip")
@command
def skip(
    cli: Cli,
    topic: Annotated[str, typer.Argument(help="As `gyre status` names it.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the record.")],
    actor: Annotated[
        str | None, typer.Option(help="Who decides [the user of this machine].")
    ] = None,
) -> None:
    """Let a held partition go on: park the record it is held at, and pass over it."""
    who = actor or getpass.getuser()
    skipped = cli.run(
        lambda gyre: gyre.dead_letters.skip(topic, partition, offset, actor=who, reason=reason)
    )
    place = f"{topic} {partition} {offset}"
    cli.out.result(
        [{"group": one.group, "cause": one.cause, "goes_on": one.goes_on} for one in skipped],
        lambda: Group(*(Text(_outcome(one, place)) for one in skipped)),
    )


def _outcome(skipped: "SkippedRecord", place: str) -> str:
    if skipped.goes_on:
        return f"{skipped.group} goes on behind {place}"
    return f"{skipped.group} goes on behind {place} once it runs: see `gyre status`"


def as_json(letter: "DeadLetter") -> dict[str, Json]:
    """For programs; bytes that are not UTF-8 become `\\xNN`."""
    data = plain(letter)
    cause = data.pop("cause")
    cause_fields = cause if isinstance(cause, dict) else {}
    origin = (
        f"{cause_fields['topic']}/{cause_fields['partition']}/{cause_fields['offset']}"
        if cause_fields
        else None
    )
    fields = ("kind", "error", "message", "attempts", "group", "size")
    digest = cause_fields.get("digest") or None
    about = {name: cause_fields.get(name) for name in fields}
    return {**data, **about, "digest": digest, "origin": origin}


def _letters_table(letters: "Sequence[DeadLetter]") -> RenderableType:
    if not letters:
        return Text("no dead letters")
    return Group(*(part for letter in letters for part in _one(letter)))


def _one(letter: "DeadLetter") -> list[RenderableType]:
    data = as_json(letter)
    parked_at = f"{letter.parked_at.ToDatetime():%Y-%m-%d %H:%M:%S}"
    head = Text(f"#{letter.offset}  {parked_at}  ", style="bold")
    head.append(f"{data['kind'] or 'unknown cause'} {data['error'] or ''}", style="red")
    value = printable(str(data["value"]))
    if data["digest"]:
        value = f"too large to be kept: {data['size']} bytes, {data['digest']}"
    shortened = value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
    return [
        head,
        Text(f"    {printable(str(data['message'] or ''))}"),
        Text(
            f"    from {data['origin']}, {data['attempts']} attempts by {data['group']}, "
            f"key {printable(str(data['key']))}",
            style="dim",
        ),
        Text(f"    {shortened}\n"),
    ]
