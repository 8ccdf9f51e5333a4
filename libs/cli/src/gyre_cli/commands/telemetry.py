"""`gyre telemetry`: the tables of ClickHouse filled anew from the topics, beside the live ones."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from gyre.telemetry.v1 import telemetry_pb2 as pb
from gyre_client.errors import FailedPrecondition, Unavailable
from rich.console import Group
from rich.table import Table
from rich.text import Text
from typer import Option

from gyre_cli.command import Cli, command, group
from gyre_cli.output import escaped, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_POLL_SECONDS = 0.5
_AWAY_POLLS = 240
"""So often in a row telemetry may be away: it is restarted, and its rebuild goes on."""

_WHAT = {
    pb.REBUILD_STATE_NONE: "no tables were filled anew yet",
    pb.REBUILD_STATE_COPYING: "taking over what the live tables hold",
    pb.REBUILD_STATE_READING: "reading the topics",
    pb.REBUILD_STATE_BUILT: "built: the new tables wait in database gyre_rebuild",
    pb.REBUILD_STATE_SWAPPING: "taking the place of the live tables",
    pb.REBUILD_STATE_FINISHED: "finished",
    pb.REBUILD_STATE_FAILED: "failed",
    pb.REBUILD_STATE_DROPPED: "given up",
}

telemetry = group("Fill ClickHouse's tables anew, beside the live ones.")


@telemetry.command("rebuild")
@command
def rebuild(
    cli: Cli,
    swap: Annotated[
        bool, Option("--swap/--no-swap", help="Make the tables live once they are built.")
    ] = True,
) -> None:
    """Read all topics again into new tables, over what the live ones hold, and make those live.

    Rows are read from and written to the live tables meanwhile. Stopped, it goes on with the next
    call.
    """
    done = cli.run(lambda gyre: _rebuild(cli, gyre, swap=swap))
    after = "" if swap else "; make them live with `gyre telemetry rebuild`"
    cli.out.result(_plain(done), lambda: Group(_counts(done), f"{_WHAT[done.state]}{after}"))


@telemetry.command("status")
@command
def status(cli: Cli) -> None:
    """Show how far the last rebuild is, and the rows of each table before and after."""
    now = cli.run(lambda gyre: gyre.history.rebuild())
    lines: list[Table | Text | str] = [_summary(now)]
    if now.problem:
        lines.append(Text(escaped(now.problem), style="red"))
    if now.rows_before:
        lines.insert(0, _counts(now))
    cli.out.result(_plain(now), lambda: Group(*lines))


@telemetry.command("drop")
@command
def drop(cli: Cli) -> None:
    """Give the rebuild up that is under way, built or failed, and remove its tables."""
    cli.run(lambda gyre: gyre.history.drop_rebuild())
    cli.out.result({"dropped": True}, lambda: "the new tables are removed; the live ones stay")


async def _rebuild(cli: Cli, gyre: "AsyncClient", *, swap: bool) -> pb.GetRebuildResponse:
    ended = pb.REBUILD_STATE_FINISHED if swap else pb.REBUILD_STATE_BUILT
    await gyre.history.start_rebuild(swap=swap)
    away = 0
    with cli.out.bar() as bar:
        reading = bar.add_task("read", total=None)
        while True:
            try:
                now = await gyre.history.rebuild()
                if not now.runs and now.state not in (ended, pb.REBUILD_STATE_FAILED):
                    await gyre.history.start_rebuild(swap=swap)  # what worked on it is gone
            except Unavailable:
                if (away := away + 1) > _AWAY_POLLS:
                    raise
            else:
                away = 0
                bar.update(reading, completed=now.records_read, total=now.records or None)
                if now.state == ended:
                    return now
                if now.state == pb.REBUILD_STATE_FAILED:
                    raise FailedPrecondition(f"the rebuild failed: {now.problem}")
                if now.state == pb.REBUILD_STATE_DROPPED:
                    raise FailedPrecondition("the rebuild was given up")
            await asyncio.sleep(_POLL_SECONDS)


def _summary(now: pb.GetRebuildResponse) -> str:
    done = f" ({now.records_read:,} of {now.records:,} records)" if now.records else ""
    under_way = now.state in (
        pb.REBUILD_STATE_COPYING,
        pb.REBUILD_STATE_READING,
        pb.REBUILD_STATE_SWAPPING,
    )
    stopped = "; nobody works on it: `gyre telemetry rebuild` goes on" if not now.runs else ""
    return f"last rebuild: {_WHAT[now.state]}{done}{stopped if under_way else ''}"


def _counts(now: pb.GetRebuildResponse) -> Table:
    rows = table("TABLE", "BEFORE", "AFTER", right=("BEFORE", "AFTER"))
    for name in sorted(now.rows_before):
        before, after = now.rows_before[name], now.rows_after.get(name)
        style = "" if after is None or after >= before else "red"
        shown = Text("" if after is None else f"{after:,}", style=style)
        rows.add_row(name, f"{before:,}", shown)
    return rows


def _plain(now: pb.GetRebuildResponse) -> Mapping[str, Any]:
    return {
        "rebuild_id": now.rebuild_id,
        "state": pb.RebuildState.Name(now.state).removeprefix("REBUILD_STATE_").lower(),
        "runs": now.runs,
        "records_read": now.records_read,
        "records": now.records,
        "records_left_out": now.records_left_out,
        "rows_before": dict(now.rows_before),
        "rows_after": dict(now.rows_after),
        "problem": now.problem,
    }
