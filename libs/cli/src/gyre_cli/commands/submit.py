"""`gyre submit`: sends documents and waits until they can be found."""

import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from gyre_client.errors import FailedPrecondition, InvalidInput, NotFound
from gyre_client.submission import Draft, Progress
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command
from gyre_cli.output import escaped, is_utf8, repeatedly, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

STDIN = "-"

_MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".rst": "text/plain",
    "": "",
}
"""By a file's ending; of others and where it is empty, the server finds it out."""

_SNIFFED = 8192
_MOST_LISTED = 20
_FEW = 3


@command
def submit(
    cli: Cli,
    paths: Annotated[list[str], Argument(help="Files, folders, or - for standard input.")],
    document_id: Annotated[str, Option("--id", help="Name of the one document.")] = "",
    media_type: Annotated[str, Option(help="Such as text/markdown; else found out.")] = "",
    acl: Annotated[list[str] | None, Option(help="Group that may read; repeatable.")] = None,
    source_uri: Annotated[
        str, Option(help="Where people find the originals; the name is added.")
    ] = "",
    wait: Annotated[bool, Option("--wait/--no-wait", help="Until searchable.")] = True,
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
    report = _report(progress, time.monotonic() - began)
    cli.out.result(report, lambda: _summary(report, waits=wait))
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
        if len(paths) > 1:
            raise InvalidInput("PATH", f"is {STDIN}", "give it alone")
        if not document_id:
            raise InvalidInput("--id", "is missing", "name what standard input holds")
        data = sys.stdin.buffer.read()
        return [Draft(document_id, lambda: data, media_type, source_uri, acl)]
    skipped: dict[str, list[Path]] = defaultdict(list)
    files = collect(
        [Path(path) for path in paths], lambda path, reason: skipped[reason].append(path)
    )
    for reason, some in skipped.items():
        names = ", ".join(escaped(str(path)) for path in some[:_FEW])
        more = f" and {len(some) - _FEW} more" if len(some) > _FEW else ""
        cli.out.note(f"skipped {names}{more}: {reason}")
    if document_id and len(files) != 1:
        raise InvalidInput("--id", f"names one document, not {len(files)}", "leave it out")
    for name in files:
        if not is_utf8(name) and (source_uri or not document_id):
            problem = f"is {escaped(name)}, which is not UTF-8"
            raise InvalidInput("PATH", problem, "rename it, or name the document with --id alone")
    return [
        Draft(
            document_id or name,
            file.read_bytes,
            media_type or _MEDIA_TYPES.get(file.suffix.lower(), ""),
            f"{source_uri.rstrip('/')}/{name}" if source_uri else "",
            acl,
        )
        for name, file in files.items()
    ]


def collect(paths: Sequence[Path], passed_over: Callable[[Path, str], None]) -> dict[str, Path]:
    """The files named, and the documents in the folders named, by document id.

    A file in a folder is called by the folder's name and its path within; a file named by itself by
    its path from here, or by its bare name where it lies elsewhere. In folders, files that are
    hidden, binary, end in another way than documents do or whose names are not UTF-8 are passed
    over; a file that is named by itself never is: the server says what it thinks of it.

    Raises:
        NotFound: a path does not exist.
        FailedPrecondition: a path is a pipe or a device, which may never end.
        InvalidInput: two different files would have the same name.
    """
    by_id: dict[str, Path] = {}
    for path in paths:
        named = _below(path, passed_over) if path.is_dir() else [(_name_of(path), path)]
        for name, file in named:
            other = by_id.setdefault(name, file)
            if other.resolve() != file.resolve():
                raise InvalidInput(
                    "PATH",
                    f"gives {other} and {file} the same name {name}",
                    "submit them one by one with --id",
                )
    return by_id


def _name_of(path: Path) -> str:
    if not path.exists():
        raise NotFound(
            f"there is no {escaped(str(path))}: give files, folders or {STDIN} for standard input"
        )
    if not path.is_file():
        raise FailedPrecondition(
            f"{escaped(str(path))} is not a file: send what a pipe gives with "
            f"`gyre submit {STDIN} --id NAME`"
        )
    absolute, here = path.resolve(), Path.cwd().resolve()
    inside = absolute.is_relative_to(here)
    return absolute.relative_to(here).as_posix() if inside else path.name


def _below(folder: Path, passed_over: Callable[[Path, str], None]) -> Iterator[tuple[str, Path]]:
    """Links to folders are not followed: they may lead in circles."""
    folder_name = folder.resolve().name
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders):
            if name.startswith("."):
                passed_over(Path(parent, name), "hidden")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(files)):
            document_id = f"{folder_name}/{path.relative_to(folder).as_posix()}"
            if reason := _skip_reason(path):
                passed_over(path, reason)
            elif not is_utf8(document_id):
                passed_over(path, "its name is not UTF-8")
            else:
                yield document_id, path


def _skip_reason(path: Path) -> str:
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "not a file"
    if path.suffix.lower() not in _MEDIA_TYPES:
        return "not a document by its ending (name the file itself to send it)"
    try:
        with path.open("rb") as file:
            return "binary" if b"\0" in file.read(_SNIFFED) else ""
    except OSError as error:
        return error.strerror or "unreadable"


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


def _report(progress: Progress, seconds: float) -> dict[str, Any]:
    took = sorted(fate.seconds for fate in progress.finished if fate.outcome == "indexed")
    return {
        "submitted": progress.submitted,
        "indexed": len(took),
        "rejected": [
            {"document_id": fate.document_id, "code": fate.code, "detail": fate.detail}
            for fate in progress.rejected
        ],
        "seconds": round(seconds, 3),
        "documents_per_second": round(len(took) / seconds, 2),
        "searchable_after_seconds": {
            "p50": round(statistics.median(took), 3),
            "p99": round(took[min(len(took) - 1, int(len(took) * 0.99))], 3),
        }
        if took
        else None,
    }


def _summary(report: Mapping[str, Any], *, waits: bool) -> Group:
    parts: list[RenderableType] = []
    rejected, indexed, took = report["rejected"], report["indexed"], f"{report['seconds']:.1f} s"
    if rejected:
        rows = table("REJECTED", "CODE", "WHY")
        for one in rejected[:_MOST_LISTED]:
            rows.add_row(one["document_id"], Text(one["code"], style="red"), one["detail"])
        parts.append(rows)
    if len(rejected) > _MOST_LISTED:
        parts.append(f"… and {len(rejected) - _MOST_LISTED} more (all of them by --json)")
    also = f", {len(rejected)} rejected" if rejected else ""
    rate = f" ({report['documents_per_second']:.1f} documents/s)" if indexed > 1 else ""
    done = f"{indexed} searchable after {took}{also}{rate}"
    return Group(*parts, done if waits else f"{report['submitted']} submitted in {took}{also}")
