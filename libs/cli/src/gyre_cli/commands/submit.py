"""`gyre submit` and `gyre delete`: what is searchable comes and goes."""

import os
import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from gyre_client.errors import FailedPrecondition, GyreError, InvalidInput, NotFound
from gyre_client.submission import Draft, Fate, Progress
from rich.console import Group, RenderableType
from rich.text import Text
from typer import Argument, Option

from gyre_cli.command import Cli, command
from gyre_cli.document_files import STDIN, check_paths, collect
from gyre_cli.output import escaped, is_utf8, repeatedly, table

if TYPE_CHECKING:
    from gyre_client import AsyncClient

_MOST_LISTED = 20
_FEW = 3


@command
def submit(
    cli: Cli,
    paths: Annotated[list[str], Argument(help="Files, folders, or - for standard input.")],
    document_id: Annotated[str, Option("--id", help="Name of the one document.")] = "",
    media_type: Annotated[str, Option(help="Such as text/markdown; else found out.")] = "",
    acl: Annotated[list[str] | None, Option(help="Group that may read; repeatable.")] = None,
    language: Annotated[str, Option(help="Such as de; else told from the text.")] = "",
    source_uri: Annotated[
        str, Option(help="Where people find the originals; the name is added.")
    ] = "",
    include: Annotated[
        list[str] | None, Option(help="Of folders only such files, as '*.md'; repeatable.")
    ] = None,
    mirror: Annotated[
        bool, Option("--mirror", help="Delete what was in these folders and is gone.")
    ] = False,
    wait: Annotated[bool, Option("--wait/--no-wait", help="Until searchable.")] = True,
) -> None:
    """Submit documents and wait until they are searchable."""
    groups = tuple(acl or ())
    named = _Named(document_id, media_type, groups, source_uri, tuple(include or ()), language)
    formats = {}
    if STDIN not in paths:
        check_paths([Path(path) for path in paths])
        formats = cli.run(lambda gyre: gyre.documents.formats())
    drafts = _drafts(cli, paths, named, formats)
    if not drafts:
        raise InvalidInput("PATH", "holds no document", "name files, or folders with text in them")
    if mirror:
        folders = [Path(path) for path in paths if Path(path).is_dir()]
        drafts += _gone(cli, folders, {draft.document_id for draft in drafts}, named)
    _send(cli, drafts, groups, wait=wait)


@command
def delete(
    cli: Cli,
    documents: Annotated[list[str], Argument(help="Names, or NAME/ for all that is below it.")],
    acl: Annotated[list[str] | None, Option(help="Group that may read; repeatable.")] = None,
    wait: Annotated[bool, Option("--wait/--no-wait", help="Until they are gone.")] = True,
) -> None:
    """Delete documents, and wait until no question finds them."""
    groups = tuple(acl or ())
    names = [name for name in documents if not name.endswith("/")]

    async def parts(gyre: "AsyncClient") -> list[str]:
        own = gyre.with_caller(groups=groups).documents
        return [part for name in names for part in await own.parts(name)]

    names += cli.run(parts)
    for folder in (name for name in documents if name.endswith("/")):
        below = _below(cli, folder, groups)
        if not below:
            raise NotFound(f"there is no document below {escaped(folder)}")
        names += below
    _send(cli, [Draft(name, None) for name in dict.fromkeys(names)], groups, wait=wait)


def _below(cli: Cli, prefix: str, groups: tuple[str, ...]) -> list[str]:
    """The documents that the caller may read whose names begin so."""

    async def names(gyre: "AsyncClient") -> list[str]:
        listed = gyre.with_caller(groups=groups).documents.list()
        return [one.document_id async for one in listed if one.document_id.startswith(prefix)]

    return cli.run(names)


def _gone(
    cli: Cli, folders: Sequence[Path], there: Collection[str], named: "_Named"
) -> list[Draft]:
    """Deletions of documents that are called as files of these folders are, and have none there."""
    if not folders:
        raise InvalidInput("--mirror", "names no folder", "name the folder that is mirrored")
    gone: dict[str, None] = {}
    for folder in folders:
        prefix = f"{folder.resolve().name}/"
        if not any(name.startswith(prefix) for name in there):
            raise FailedPrecondition(
                f"{escaped(str(folder))} holds no document, so its mirror would hold none: if that "
                f"is wanted, `gyre delete {escaped(prefix)}`"
            )
        for name in _below(cli, prefix, named.acl):
            file = folder / name.removeprefix(prefix)
            if name not in there and named.takes(file.name) and not _is_there(file, folder):
                gone[name] = None
    if gone:
        cli.out.note(f"gone, and to be deleted: {_some(list(gone))}")
    return [Draft(name, None) for name in gone]


def _is_there(path: Path, folder: Path) -> bool:
    """As a file of the folder, or within one."""
    within = (each for each in path.parents if folder in each.parents)
    return os.path.lexists(path) or any(each.is_file() for each in within)


def _send(cli: Cli, drafts: Sequence[Draft], groups: tuple[str, ...], *, wait: bool) -> None:
    began, progress = time.monotonic(), Progress()
    try:
        cli.run(
            lambda gyre: _submit(cli, gyre.with_caller(groups=groups), drafts, progress, wait=wait)
        )
    except GyreError:  # what is known by now is known to nobody else
        for fate in progress.rejected[:_MOST_LISTED]:
            cli.out.note(f"rejected {escaped(fate.document_id)}: {fate.code}: {fate.detail}")
        raise
    report = _report(progress, time.monotonic() - began)
    cli.out.result(report, lambda: _summary(report, waits=wait))
    if progress.rejected or progress.quarantined:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Named:
    """What the command line says of the documents."""

    document_id: str = ""
    media_type: str = ""
    acl: tuple[str, ...] = ()
    source_uri: str = ""
    include: tuple[str, ...] = ()
    language: str = ""

    def takes(self, file_name: str) -> bool:
        """Whether a file of that name is one of those to be taken."""
        return not self.include or any(fnmatch(file_name, pattern) for pattern in self.include)


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
        opens = _set_aside(sys.stdin.buffer)
        return [Draft(document_id, opens, named.media_type, source_uri, named.acl, named.language)]
    skipped: dict[str, list[Path]] = defaultdict(list)
    files = collect(
        [Path(path) for path in paths],
        lambda path, reason: skipped[reason].append(path),
        formats,
        named.takes,
    )
    for reason, some in skipped.items():
        cli.out.note(f"skipped {_some(list(map(str, some)))}: {reason}")
    if document_id and len(files) != 1:
        raise InvalidInput("--id", f"names one document, not {len(files)}", "leave it out")
    for name in files:
        if not is_utf8(name) and (source_uri or not document_id):
            problem = f"is {escaped(name)}, which is not UTF-8"
            raise InvalidInput("PATH", problem, "rename it, or name the document with --id alone")
    return [
        Draft(
            document_id or name,
            _opener(file),
            named.media_type or formats.get(file.suffix.lower(), ""),
            f"{source_uri.rstrip('/')}/{name}" if source_uri else "",
            named.acl,
            named.language,
        )
        for name, file in files.items()
    ]


def _set_aside(stream: BinaryIO) -> Callable[[], BinaryIO]:
    """So that it can be sent again; it lies in a file as long as what opens it is there."""
    file = NamedTemporaryFile(prefix="gyre-submit-")  # noqa: SIM115
    shutil.copyfileobj(stream, file)
    file.flush()
    return lambda: Path(file.name).open("rb")


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(map(escaped, names[:_FEW])) + more


async def _submit(
    cli: Cli, gyre: "AsyncClient", drafts: Sequence[Draft], progress: Progress, *, wait: bool
) -> None:
    with cli.out.bar() as bar:
        submitted = bar.add_task("submitted", total=len(drafts))
        searchable = bar.add_task("searchable", total=len(drafts), visible=wait)

        def show() -> None:
            total = len(drafts) + progress.parts
            bar.update(submitted, completed=progress.submitted + progress.parts, total=total)
            bar.update(searchable, completed=len(progress.finished), total=total)

        async with repeatedly(show):
            await gyre.documents.submit_all(drafts, progress, wait=wait)


def _report(progress: Progress, seconds: float) -> dict[str, Any]:
    took = sorted(fate.seconds for fate in progress.finished if fate.outcome == "indexed")
    return {
        "submitted": progress.submitted,
        "parts": progress.parts,
        "indexed": len(took),
        "deleted": sum(fate.outcome == "deleted" for fate in progress.finished),
        "rejected": list(map(_as_json, progress.rejected)),
        "quarantined": list(map(_as_json, progress.quarantined)),
        "seconds": round(seconds, 3),
        "documents_per_second": round(len(took) / seconds, 2),
        "searchable_after_seconds": {
            "p50": round(statistics.median(took), 3),
            "p99": round(took[min(len(took) - 1, int(len(took) * 0.99))], 3),
        }
        if took
        else None,
    }


def _as_json(fate: Fate) -> dict[str, str]:
    return {"document_id": fate.document_id, "code": fate.code, "detail": fate.detail}


def _summary(report: Mapping[str, Any], *, waits: bool) -> Group:
    parts: list[RenderableType] = []
    indexed, took, also = report["indexed"], f"{report['seconds']:.1f} s", ""
    for fate in ("rejected", "quarantined"):
        ones = report[fate]
        if ones:
            rows = table(fate.upper(), "CODE", "WHY")
            for one in ones[:_MOST_LISTED]:
                rows.add_row(one["document_id"], Text(one["code"], style="red"), one["detail"])
            parts.append(rows)
            also += f", {len(ones)} {fate}"
        if len(ones) > _MOST_LISTED:
            parts.append(f"… and {len(ones) - _MOST_LISTED} more (all of them by --json)")
    if report["quarantined"]:
        parts.append("look at them by `gyre documents quarantine list`")
    rate = f" ({report['documents_per_second']:.1f} documents/s)" if indexed > 1 else ""
    if not waits:
        return Group(*parts, f"{report['submitted']} submitted in {took}{also}")
    within = f" ({report['parts']} of them within others)" if report["parts"] else ""
    fates = [f"{report['deleted']} deleted"] if report["deleted"] else []
    if indexed or not fates:
        fates.insert(0, f"{indexed} searchable")
    return Group(*parts, f"{' and '.join(fates)}{within} after {took}{also}{rate}")
