"""`gyre submit`: sends documents and waits until they can be found."""

import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
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
    include: Annotated[
        list[str] | None, Option(help="Of folders only such files, as '*.md'; repeatable.")
    ] = None,
    wait: Annotated[bool, Option("--wait/--no-wait", help="Until searchable.")] = True,
) -> None:
    """Submit documents and wait until they are searchable."""
    groups = tuple(acl or ())
    named = _Named(document_id, media_type, groups, source_uri, tuple(include or ()))
    formats = {}
    if STDIN not in paths:
        _check_paths([Path(path) for path in paths])
        formats = cli.run(lambda gyre: gyre.documents.formats())
    drafts = _drafts(cli, paths, named, formats)
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


@dataclass(frozen=True)
class _Named:
    """What the command line says of the documents."""

    document_id: str = ""
    media_type: str = ""
    acl: tuple[str, ...] = ()
    source_uri: str = ""
    include: tuple[str, ...] = ()


def _drafts(
    cli: Cli, paths: Sequence[str], named: _Named, formats: Mapping[str, str]
) -> list[Draft]:
    """`formats` are the media types by a file's ending; of others the server finds it out."""
    document_id, source_uri = named.document_id, named.source_uri
    if STDIN in paths:
        if len(paths) > 1:
            raise InvalidInput("PATH", f"is {STDIN}", "give it alone")
        if not document_id:
            raise InvalidInput("--id", "is missing", "name what standard input holds")
        data = sys.stdin.buffer.read()
        return [Draft(document_id, lambda: data, named.media_type, source_uri, named.acl)]
    skipped: dict[str, list[Path]] = defaultdict(list)
    files = collect(
        [Path(path) for path in paths],
        lambda path, reason: skipped[reason].append(path),
        formats,
        named.include,
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
            named.media_type or formats.get(file.suffix.lower(), ""),
            f"{source_uri.rstrip('/')}/{name}" if source_uri else "",
            named.acl,
        )
        for name, file in files.items()
    ]


def _check_paths(paths: Sequence[Path]) -> None:
    """Raises as `collect` does for what is no file and no folder."""
    for path in paths:
        if not path.is_dir():
            _name_of(path)


def collect(
    paths: Sequence[Path],
    passed_over: Callable[[Path, str], None],
    endings: Collection[str],
    include: Sequence[str] = (),
) -> dict[str, Path]:
    """The files named, and the documents in the folders named, by document id.

    A file in a folder is called by the folder's name and its path within; a file named by itself by
    its path from here, or by its bare name where it lies elsewhere. In folders, files that are
    hidden, have none of the `endings` of documents, have no ending and are binary, or whose names
    are not UTF-8 are passed over, and without a word those whose names are none of `include`; a
    file that is named by itself never is: the server says what it thinks of it.

    Raises:
        NotFound: a path does not exist.
        FailedPrecondition: a path is a pipe or a device, which may never end.
        InvalidInput: two different files would have the same name.
    """
    by_id: dict[str, Path] = {}
    for path in paths:
        below = _below(path, passed_over, endings, include) if path.is_dir() else None
        named = below or [(_name_of(path), path)]
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


def _below(
    folder: Path,
    passed_over: Callable[[Path, str], None],
    endings: Collection[str],
    include: Sequence[str],
) -> Iterator[tuple[str, Path]]:
    """Links to folders are not followed: they may lead in circles."""
    folder_name = folder.resolve().name
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders):
            if name.startswith("."):
                passed_over(Path(parent, name), "hidden")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            document_id = f"{folder_name}/{path.relative_to(folder).as_posix()}"
            if include and not any(fnmatch(name, pattern) for pattern in include):
                continue
            if reason := _skip_reason(path, endings):
                passed_over(path, reason)
            elif not is_utf8(document_id):
                passed_over(path, "its name is not UTF-8")
            else:
                yield document_id, path


def _skip_reason(path: Path, endings: Collection[str]) -> str:
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "not a file"
    if path.suffix:
        known = path.suffix.lower() in endings
        return "" if known else "not a document by its ending (name the file itself to send it)"
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
