"""`gyre dlq`: the records that could not be handled, and why."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from gyre_client.errors import InvalidInput
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import Json, minute, one_line, plain, table
from gyre_cli.settings import login_name

if TYPE_CHECKING:
    from gyre.telemetry.v1.telemetry_pb2 import (
        DeadLetter,
        DeadLetterFilter,
        DeadLetterTopic,
        DecidedDeadLetter,
    )
    from gyre_client import AsyncClient

_LONGEST_VALUE = 400
_CAUSE = ("kind", "error", "message", "attempts", "group", "size")

dlq = group("See to the records that could not be handled, and let held partitions go on.")


Topic = Annotated[str, Argument(help="With or without .dlq at its end.")]
Cause = Annotated[str, Option(help="Those whose kind, error or message has this in it.")]
OfTenant = Annotated[str, Option(help="Those whose record is of this tenant.")]
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[datetime | None, Option(formats=_TIMES, help="Parked from then on, in UTC.")]
Until = Annotated[datetime | None, Option(formats=_TIMES, help="Parked before, in UTC.")]
Offsets = Annotated[
    list[int] | None, Argument(min=0, help="Of the dead letters, as `dlq show` has them.")
]
All = Annotated[bool, Option("--all", help="All that wait and match a filter.")]
Yes = Annotated[bool, Option("--yes", help="Do not ask before.")]
Actor = Annotated[str | None, Option(help="Who decides [the user of this machine].")]


@dlq.command("list")
@command
def list_topics(
    cli: Cli,
    cause: Cause = "",
    of_tenant: OfTenant = "",
    since: Since = None,
    until: Until = None,
) -> None:
    """Count the dead letters of each topic that wait to be replayed or dropped."""
    chosen = _filter(cause, of_tenant, since, until)

    async def counted(gyre: "AsyncClient") -> "list[DeadLetterTopic]":
        topics = list(await gyre.dead_letters.list())
        if chosen is None:
            return topics
        return [
            await gyre.dead_letters.count(topic.topic, chosen) if topic.count else topic
            for topic in topics
        ]

    topics = cli.run(counted)
    rows = table("TOPIC", "DEAD LETTERS", "OLDEST", right=("DEAD LETTERS",))
    for one in topics:
        style = "red" if one.count else "dim"
        oldest = minute(one.oldest_parked_at) if one.HasField("oldest_parked_at") else ""
        rows.add_row(one.topic, Text(str(one.count), style=style), oldest)
    cli.out.result(
        [
            {name: plain(one)[name] for name in ("topic", "count", "oldest_parked_at")}
            for one in topics
        ],
        lambda: rows,
    )


@dlq.command("show")
@command
def show(
    cli: Cli,
    topic: Topic,
    limit: Annotated[int, Option(min=1, max=1_000, help="How many, newest first.")] = 10,
    cause: Cause = "",
    of_tenant: OfTenant = "",
    since: Since = None,
    until: Until = None,
    decided: Annotated[bool, Option("--decided", help="Replayed and dropped ones too.")] = False,
) -> None:
    """Show the newest dead letters of one topic, and why each was parked."""
    chosen = _filter(cause, of_tenant, since, until)
    letters = cli.run(
        lambda gyre: gyre.dead_letters.show(topic, limit=limit, chosen=chosen, decided=decided)
    )
    parts = [part for letter in letters for part in _one(letter)]
    cli.out.result(
        [as_json(letter) for letter in letters], lambda: Group(*parts or ["no dead letters"])
    )


@dlq.command("replay")
@command
def replay(
    cli: Cli,
    topic: Topic,
    offsets: Offsets = None,
    every: All = False,
    cause: Cause = "",
    of_tenant: OfTenant = "",
    since: Since = None,
    until: Until = None,
    reason: Annotated[str, Option(help="Why; it is kept with the letter.")] = "",
    actor: Actor = None,
    yes: Yes = False,
) -> None:
    """Send dead letters to their topic again, as they were. Done twice it changes nothing."""
    chosen = _chosen(offsets, every, _filter(cause, of_tenant, since, until))
    _decide(cli, "replay", topic, offsets or [], chosen, reason, actor, yes)


@dlq.command("drop")
@command
def drop(
    cli: Cli,
    topic: Topic,
    offsets: Offsets = None,
    *,
    reason: Annotated[str, Option(help="Why; it is kept with the letter.")],
    every: All = False,
    cause: Cause = "",
    of_tenant: OfTenant = "",
    since: Since = None,
    until: Until = None,
    actor: Actor = None,
    yes: Yes = False,
) -> None:
    """Decide that dead letters need nothing more; they are counted no longer."""
    chosen = _chosen(offsets, every, _filter(cause, of_tenant, since, until))
    _decide(cli, "drop", topic, offsets or [], chosen, reason, actor, yes)


@dlq.command("skip")
@command
def skip(
    cli: Cli,
    topic: Annotated[str, Argument(help="As `gyre status` names it.")],
    partition: Annotated[int, Argument(min=0)],
    offset: Annotated[int, Argument(min=0)],
    reason: Annotated[str, Option(help="Why; it is kept with the record.")],
    actor: Actor = None,
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


def _filter(
    cause: str, tenant: str, since: datetime | None, until: datetime | None
) -> "DeadLetterFilter | None":
    """None where nothing is chosen."""
    from gyre.telemetry.v1.telemetry_pb2 import DeadLetterFilter

    if not (cause or tenant or since or until):
        return None
    return DeadLetterFilter(cause=cause, tenant=tenant, since=_in_utc(since), until=_in_utc(until))


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _chosen(
    offsets: list[int] | None, every: bool, chosen: "DeadLetterFilter | None"
) -> "DeadLetterFilter | None":
    """Raises InvalidInput."""
    fix = "give offsets; or --all with --cause, --of-tenant, --since or --until"
    if every and offsets:
        raise InvalidInput("--all", "stands beside offsets", fix)
    if every and chosen is None:
        raise InvalidInput("--all", "has no filter", fix)
    if not every and chosen is not None:
        raise InvalidInput("--all", "is missing beside a filter", fix)
    if not every and not offsets:
        raise InvalidInput("offsets", "are missing", fix)
    return chosen


def _decide(
    cli: Cli,
    verb: Literal["replay", "drop"],
    topic: str,
    offsets: list[int],
    chosen: "DeadLetterFilter | None",
    reason: str,
    actor: str | None,
    yes: bool,
) -> None:
    total = len(offsets)
    if chosen is not None:
        counted = cli.run(lambda gyre: gyre.dead_letters.count(topic, chosen))
        chosen.end = counted.end  # what is parked meanwhile was not counted
        total = counted.count
        cli.out.note(f"{total} dead letters of {counted.topic} match")
        if total and not yes and not _agreed(verb):
            raise InvalidInput("--yes", "is missing", "say it to go on")
    decided: list[DecidedDeadLetter] = []

    async def go_through(gyre: "AsyncClient") -> None:
        with cli.out.bar() as bar:
            task = bar.add_task(verb, total=total)
            about = {"chosen": chosen, "actor": actor or login_name(), "reason": reason}
            async for one in getattr(gyre.dead_letters, verb)(topic, offsets, **about):
                decided.append(one)
                bar.advance(task)

    if total:
        cli.run(go_through)
    cli.out.result([{**plain(one)} for one in decided], lambda: _outcomes(decided))


def _agreed(verb: str) -> bool:
    """Whoever is no person cannot be asked."""
    return sys.stdin.isatty() and typer.confirm(f"{verb} them?", err=True)


def _outcomes(decided: "Sequence[DecidedDeadLetter]") -> str:
    """How many of each, and one by one those that stay."""
    counts = Counter(one.outcome for one in decided)
    lines = [f"{count} {outcome}" for outcome, count in counts.items()]
    lines += [f"#{one.offset} {one.outcome}: {one.detail}" for one in decided if one.detail]
    return "\n".join(lines) or "no dead letters"


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
    if letter.HasField("decision"):
        decision = letter.decision
        line = f"    {decision.verdict} by {decision.actor} at {minute(decision.decided_at)}"
        line += f": {decision.reason}" if decision.reason else ""
        yield Text(one_line(line), style="green")
    value = str(data["value"])
    if data["digest"]:
        value = f"too large to be kept: {data['size']} bytes, {data['digest']}"
    value = one_line(value)
    yield f"    {value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + '…'}\n"
