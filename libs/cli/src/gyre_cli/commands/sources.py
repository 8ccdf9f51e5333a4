"""`gyre sources`: places that documents are fetched from, again and again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from gyre_client.errors import FailedPrecondition, NotFound
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command, group, pairs
from gyre_cli.output import minute, plain, table

if TYPE_CHECKING:
    from gyre.ingestor.v1.sources_pb2 import Source, SourceKind, SourceStatus, Sync
    from gyre_client import AsyncClient
    from rich.table import Table

_BAD = ("failed", "incomplete")
_STYLES = {"failed": "red", "synced": "green", "syncing": "cyan"}

sources = group("Look after the places that documents are fetched from.")

Name = Annotated[str, Argument(help="As `gyre sources list` names it.")]
Wait = Annotated[bool, Option("--wait/--no-wait", help="Until the sync has ended.")]


@sources.command("add")
@command
def add(
    cli: Cli,
    name: Annotated[str, Argument(help="Its documents are called NAME/…; an old one is changed.")],
    kind: Annotated[str, Argument(help="As `gyre sources kinds` has them, such as folder.")],
    values: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUE", help="A setting of the kind; repeatable."),
    ] = None,
    schedule: Annotated[
        str | None,
        Option(help="When to sync, as cron has it, in UTC: '0 3 * * *' is nightly at three."),
    ] = None,
    acl: Annotated[list[str] | None, Option(help="Group that may read; repeatable.")] = None,
    wait: Wait = True,
) -> None:
    """Add a source, or change one, and sync it.

    Of one that is there, groups and schedule stay unless they are given; '' takes them away.
    """
    settings = pairs(values or [])

    async def put(gyre: "AsyncClient") -> "SourceStatus":
        before = await _before(gyre, name)
        groups = before.acl if acl is None else [one for one in acl if one]
        when = before.schedule if schedule is None else schedule
        return await gyre.sources.put(name, kind, settings, schedule=when, acl=groups)

    status = cli.run(put)
    if wait:
        status = _followed(cli, name, status.changed_at.ToDatetime(UTC))
    _show_sync(cli, status, waits=wait)


async def _before(gyre: "AsyncClient", name: str) -> "Source":
    """The source as it was; an empty one if it is new."""
    from gyre.ingestor.v1.sources_pb2 import Source

    try:
        return (await gyre.sources.list(name))[0].source
    except NotFound:
        return Source()


@sources.command("list")
@command
def list_sources(
    cli: Cli,
    names: Annotated[list[str] | None, Argument(help="Only these.")] = None,
) -> None:
    """Show the sources, how far each is, and what went wrong."""
    statuses = cli.run(lambda gyre: gyre.sources.list(*(names or ())))
    cli.out.result([_as_json(one) for one in statuses], lambda: _table(statuses))


@sources.command("kinds")
@command
def kinds(cli: Cli) -> None:
    """Show what sources may be, and the settings of each kind."""
    known = cli.run(lambda gyre: gyre.sources.kinds())
    cli.out.result([plain(one) for one in known], lambda: _kinds_table(known))


@sources.command("sync")
@command
def sync(cli: Cli, name: Name, wait: Wait = True) -> None:
    """Sync a source now, and wait until that is done."""
    since = cli.run(lambda gyre: gyre.sources.sync(name))
    if wait:
        status = _followed(cli, name, since)
    else:
        (status,) = cli.run(lambda gyre: gyre.sources.list(name))
    _show_sync(cli, status, waits=wait)


@sources.command("pause")
@command
def pause(cli: Cli, name: Name) -> None:
    """Stop the syncs of a source; its documents stay."""
    cli.run(lambda gyre: gyre.sources.pause(name))
    cli.out.result({"name": name, "paused": True}, lambda: f"{name} is paused")


@sources.command("resume")
@command
def resume(cli: Cli, name: Name) -> None:
    """Let a source sync again, beginning now."""
    cli.run(lambda gyre: gyre.sources.resume(name))
    cli.out.result({"name": name, "paused": False}, lambda: f"{name} syncs again")


@sources.command("remove")
@command
def remove(
    cli: Cli,
    name: Name,
    keep_documents: Annotated[
        bool, Option("--keep-documents", help="Leave what it brought.")
    ] = False,
    wait: Wait = True,
) -> None:
    """Remove a source, and delete what it brought."""
    before = cli.run(lambda gyre: gyre.sources.list(name))[0].documents
    cli.run(lambda gyre: gyre.sources.remove(name, keep_documents=keep_documents))
    if wait:
        _follow(cli, name, datetime.max.replace(tzinfo=UTC))
    what = "its documents stay" if keep_documents else f"its {before} documents go with it"
    cli.out.result(
        {"name": name, "documents": before, "documents_stay": keep_documents},
        lambda: f"{name} is removed: {what}",
    )


def _followed(cli: Cli, name: str, since: datetime) -> "SourceStatus":
    """As it was when that sync ended."""
    latest = _follow(cli, name, since)
    if latest is None:
        raise FailedPrecondition(f"{name} was removed meanwhile")
    return latest


def _follow(cli: Cli, name: str, since: datetime) -> "SourceStatus | None":
    """As it was at last: when that sync ended, or the source went; None if it was gone already."""

    async def follow(gyre: "AsyncClient") -> "SourceStatus | None":
        latest: SourceStatus | None = None
        with cli.out.notes.status(f"syncing {name}") as shown:
            async for latest in gyre.sources.follow(name, since):
                shown.update(f"syncing {name}: {_counts(latest.sync, 'looking')}")
        return latest

    return cli.run(follow)


def _show_sync(cli: Cli, status: "SourceStatus", *, waits: bool) -> None:
    last = status.last_sync
    cli.out.result(_as_json(status), lambda: _sync_view(status) if waits else "sync requested")
    if waits and last.outcome in _BAD:
        raise typer.Exit(1)


def _sync_view(status: "SourceStatus") -> RenderableType:
    last, parts = status.last_sync, list[RenderableType]()
    if last.problems:
        rows = table("NOT TAKEN", "WHY")
        for problem in last.problems:
            rows.add_row(problem.name, problem.detail)
        parts.append(rows)
    if last.error:
        parts.append(Text(f"{last.outcome}: {last.error}", style="red"))
    parts.append(f"{status.source.name}: {_counts(last)}; {status.documents} documents")
    return Group(*parts)


def _counts(sync: "Sync", nothing: str = "nothing to do") -> str:
    """What became of what was looked at; what did not happen is left out."""
    names = ("added", "changed", "deleted", "unchanged", "refused", "unreadable")
    counts = [f"{getattr(sync, name)} {name}" for name in names if getattr(sync, name)]
    return ", ".join(counts) or nothing


def _table(statuses: Sequence["SourceStatus"]) -> RenderableType:
    rows = table(
        "SOURCE", "KIND", "STATE", "DOCUMENTS", "LAST SYNC", "NEXT", "WHAT", right=("DOCUMENTS",)
    )
    for status in statuses:
        state = _state(status)
        last = status.last_sync
        what = _counts(status.sync, "looking") if state == "syncing" else _counts(last)
        rows.add_row(
            status.source.name,
            status.source.kind,
            Text(state, style=_STYLES.get(state, "dim")),
            str(status.documents),
            minute(last.ended_at) if last.HasField("ended_at") else "–",
            minute(status.next_sync_at) if status.HasField("next_sync_at") else "–",
            last.error or (what if last.HasField("began_at") or state == "syncing" else "–"),
        )
    return rows if statuses else "no sources: `gyre sources add NAME KIND --set …`"


def _kinds_table(known: Sequence["SourceKind"]) -> "Table":
    rows = table("KIND", "SETTING", "DEFAULT", "MEANING")
    for kind in known:
        for number, setting in enumerate(kind.settings):
            default = "(required)" if setting.required else setting.default or "–"
            rows.add_row("" if number else kind.kind, setting.name, default, setting.description)
    return rows


def _state(status: "SourceStatus") -> str:
    from gyre.ingestor.v1.sources_pb2 import SourceState

    return SourceState.Name(status.state).removeprefix("SOURCE_STATE_").lower()


def _as_json(status: "SourceStatus") -> dict[str, Any]:
    return {**plain(status), "state": _state(status)}
