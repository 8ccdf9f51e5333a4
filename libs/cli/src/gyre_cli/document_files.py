"""Which files become documents, and what they are called."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from gyre_client.errors import FailedPrecondition, InvalidInput, NotFound

from gyre_cli.output import escaped, is_utf8

STDIN = "-"
_SNIFFED = 8192


def check_paths(paths: Sequence[Path]) -> None:
    """Raises as `collect` does for what is neither a file nor a folder."""
    for path in paths:
        if not path.is_dir():
            name_of(path)


def collect(
    paths: Sequence[Path],
    passed_over: Callable[[Path, str], None],
    endings: Collection[str],
    takes: Callable[[str], bool] = lambda _: True,
) -> dict[str, Path]:
    """The files named, and the documents in the folders named, by document id.

    A file in a folder is called by the folder's name and its path within; a file named by itself by
    its path from here, or by its bare name where it lies elsewhere. In folders, files that are
    hidden, have none of the `endings` of documents, have no ending and are binary, or whose names
    are not UTF-8 are passed over, and without a word those that `takes` refuses by name; a
    file that is named by itself never is: the server says what it thinks of it.

    Raises:
        NotFound: a path does not exist.
        FailedPrecondition: a path is a pipe or a device, which may never end, or a folder cannot be
            read.
        InvalidInput: two different files would have the same name.
    """
    by_id: dict[str, Path] = {}
    for path in paths:
        below = _below(path, passed_over, endings, takes) if path.is_dir() else None
        named = below or [(name_of(path), path)]
        for name, file in named:
            other = by_id.setdefault(name, file)
            if other.resolve() != file.resolve():
                raise InvalidInput(
                    "PATH",
                    f"gives {other} and {file} the same name {name}",
                    "submit them one by one with --id",
                )
    return by_id


def name_of(path: Path) -> str:
    """Of a file that is named by itself. Raises as `collect` does."""
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
    takes: Callable[[str], bool],
) -> Iterator[tuple[str, Path]]:
    """Links to folders are not followed: they may lead in circles."""
    folder_name = folder.resolve().name
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        for name in sorted(folders):
            if name.startswith("."):
                passed_over(Path(parent, name), "hidden")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            document_id = f"{folder_name}/{path.relative_to(folder).as_posix()}"
            if not takes(name):
                continue
            if reason := _skip_reason(path, endings):
                passed_over(path, reason)
            elif not is_utf8(document_id):
                passed_over(path, "its name is not UTF-8")
            else:
                yield document_id, path


def _refuse(error: OSError) -> None:
    """A folder that cannot be looked into is no empty one: its documents would count as gone."""
    problem = error.strerror or str(error)
    raise FailedPrecondition(f"{escaped(str(error.filename))} cannot be read ({problem})")


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
