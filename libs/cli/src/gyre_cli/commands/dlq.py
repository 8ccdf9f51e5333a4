"""`gyre dlq`: the records that could not be handled, and why."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.output import Json, table

if TYPE_CHECKING:
    from gyre_common.bus.dlq import DeadLetter

_LONGEST_VALUE = 400

dlq = typer.Typer(help="Look at the records that could not be handled.", no_args_is_help=True)


@dlq.command("list")
@command
def list_topics(cli: Cli) -> None:
    """Count the dead letters of each topic."""
    counts = asyncio.run(_counts(cli.settings.kafka_servers))
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
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 10,
) -> None:
    """Show the newest dead letters of one topic, and why each was parked."""
    letters = asyncio.run(_last(cli.settings.kafka_servers, topic, limit))
    cli.out.result([as_json(letter) for letter in letters], lambda: _shown(letters))


async def _counts(servers: str) -> dict[str, int]:
    from gyre_common.bus.dlq import open_dead_letters  # the Kafka client is slow to import

    async with open_dead_letters(servers) as letters:
        return await letters.counts()


async def _last(servers: str, topic: str, limit: int) -> "list[DeadLetter]":
    from gyre_common.bus.dlq import open_dead_letters

    async with open_dead_letters(servers) as letters:
        return await letters.last(topic, limit)


def as_json(letter: "DeadLetter") -> dict[str, Json]:
    """For programs; bytes that are not UTF-8 become `\\xNN`."""
    cause = letter.cause
    return {
        "offset": letter.offset,
        "parked_at": letter.parked_at.isoformat(),
        "key": _text(letter.key),
        "value": _text(letter.value),
        "digest": (cause and cause.digest) or None,
        "size": cause.size if cause else None,
        "kind": cause.kind if cause else None,
        "error": cause.error if cause else None,
        "message": cause.message if cause else None,
        "origin": f"{cause.topic}/{cause.partition}/{cause.offset}" if cause else None,
        "attempts": cause.attempts if cause else None,
        "group": cause.group if cause else None,
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")


def _shown(letters: "list[DeadLetter]") -> RenderableType:
    if not letters:
        return Text("no dead letters")
    return Group(*(part for letter in letters for part in _one(letter)))


def _one(letter: "DeadLetter") -> list[RenderableType]:
    said = as_json(letter)
    head = Text(f"#{letter.offset}  {letter.parked_at:%Y-%m-%d %H:%M:%S}  ", style="bold")
    head.append(f"{said['kind'] or 'unknown cause'} {said['error'] or ''}", style="red")
    value = str(said["value"])
    if said["digest"]:
        value = f"too large to be kept: {said['size']} bytes, {said['digest']}"
    cut = value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
    return [
        head,
        Text(f"    {said['message'] or ''}"),
        Text(
            f"    from {said['origin']}, {said['attempts']} attempts by {said['group']}, "
            f"key {said['key']}",
            style="dim",
        ),
        Text(f"    {cut}\n"),
    ]
