"""`gyre submit`: sends documents and waits until they can be found."""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from gyre_client.errors import InvalidInput
from gyre_client.submission import Draft, Fate, Progress
from rich.console import Group, RenderableType
from rich.text import Text

from gyre_cli.command import Cli, command
from gyre_cli.files import STDIN, collect
from gyre_cli.output import Json, repeatedly, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_MOST_LISTED = 20
_FEW = 3


@command
def submit(
    cli: Cli,
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or - for standard input.")],
    document_id: Annotated[str, typer.Option("--id", help="Name of the one document.")] = "",
    media_type: Annotated[str, typer.Option(help="Such as text/markdown; else found out.")] = "",
    acl: Annotated[list[str] | None, typer.Option(help="Group that may read; repeatable.")] = None,
    source_uri: Annotated[
        str, typer.Option(help="Where people find the originals; the name is added.")
    ] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until searchable.")] = True,
) -> None:
    """Submit documents and wait until they are searchable."""
    groups = tuple(acl or ())
    drafts = _drafts(cli, paths, document_id, media_type, groups, source_uri)
    if not drafts:
        raise InvalidInput("PATH", "holds no document", "name files, or folders with text in them")
    began = time.monotonic()
    progress = cli.run(
        lambda gyre: _submit(cli, gyre.with_caller(groups=groups), drafts, wait=wait)
    )
    seconds = time.monotonic() - began
    cli.out.result(_report(progress, seconds), lambda: _summary(progress, seconds, waits=wait))
    if progress.rejected:
        raise typer.Exit(1)


def _drafts(
    cli: Cli,
    paths: Sequence[str],
    document_id: str,
    media_type: str,
    acl: tuple[str, ...],
    source_uri: str,
) -> list[Draft]:
    if STDIN in paths:
        if len(paths) > 1 or not document_id:
            raise InvalidInput("PATH", f"is {STDIN}", "give it alone, and name it with --id")
        data = sys.stdin.buffer.read()
        return [Draft(document_id, lambda: data, media_type, source_uri, acl)]
    skipped: dict[str, list[Path]] = defaultdict(list)
    sources = collect(
        [Path(path) for path in paths], lambda path, reason: skipped[reason].append(path)
    )
    for reason, some in skipped.items():
        names = ", ".join(map(str, some[:_FEW]))
        more = f" and {len(some) - _FEW} more" if len(some) > _FEW else ""
        cli.out.note(f"skipped {names}{more}: {reason}")
    if document_id and len(sources) != 1:
        raise InvalidInput("--id", f"names one document, not {len(sources)}", "leave it out")
    return [
        Draft(
            document_id or source.document_id,
            source.path.read_bytes,
            media_type or source.media_type,
            f"{source_uri.rstrip('/')}/{source.document_id}" if source_uri else "",
            acl,
        )
        for source in sources
    ]


async def _submit(
    cli: Cli, gyre: "AsyncClient", drafts: Sequence[Draft], *, wait: bool
) -> Progress:
    progress = Progress()
    with cli.out.bar() as bar:
        submitted = bar.add_task("submitted", total=len(drafts))
        searchable = bar.add_task("searchable", total=len(drafts), visible=wait)

        def show() -> None:
            bar.update(submitted, completed=progress.submitted)
            bar.update(searchable, completed=len(progress.finished))

        async with repeatedly(show):
            await gyre.documents.submit_all(drafts, progress, wait=wait)
    return progress


def _report(progress: Progress, seconds: float) -> dict[str, Json]:
    indexed = len(_indexed(progress))
    return {
        "submitted": progress.submitted,
        "indexed": indexed,
        "rejected": [
            {"document_id": fate.document_id, "code": fate.code, "detail": fate.detail}
            for fate in progress.rejected
        ],
        "seconds": round(seconds, 3),
        "documents_per_second": round(indexed / seconds, 2),
        "searchable_after_seconds": _percentiles(progress),
    }


def _percentiles(progress: Progress) -> Json:
    seconds = sorted(fate.seconds for fate in _indexed(progress))
    if not seconds:
        return None
    return {
        "p50": round(statistics.median(seconds), 3),
        "p99": round(seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))], 3),
    }


def _summary(progress: Progress, seconds: float, *, waits: bool) -> Group:
    rejected = progress.rejected
    parts: list[RenderableType] = []
    if rejected:
        rows = table("REJECTED", "CODE", "WHY")
        for fate in rejected[:_MOST_LISTED]:
            rows.add_row(fate.document_id, Text(fate.code, style="red"), fate.detail)
        parts.append(rows)
    if len(rejected) > _MOST_LISTED:
        parts.append(f"… and {len(rejected) - _MOST_LISTED} more (all of them by --json)")
    return Group(*parts, _sentence(progress, seconds, waits=waits))


def _sentence(progress: Progress, seconds: float, *, waits: bool) -> str:
    indexed, rejected = len(_indexed(progress)), len(progress.rejected)
    also = f", {rejected} rejected" if rejected else ""
    if not waits:
        return f"{progress.submitted} submitted in {seconds:.1f} s{also}"
    rate = f" ({indexed / seconds:.1f} documents/s)" if indexed > 1 else ""
    return f"{indexed} searchable after {seconds:.1f} s{also}{rate}"


def _indexed(progress: Progress) -> list[Fate]:
    return [fate for fate in progress.finished if fate.outcome == "indexed"]
