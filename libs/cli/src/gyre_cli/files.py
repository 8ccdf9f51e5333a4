"""Turns paths into documents: what each is called, and what is passed over."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gyre_client.errors import InvalidInput, NotFound

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
_SNIFFED = 8192


@dataclass(frozen=True)
class SourceFile:
    """A file that will become a document."""

    path: Path
    document_id: str

    @property
    def media_type(self) -> str:
        """By its ending; empty where that says nothing, and the server finds it out."""
        return _MEDIA_TYPES.get(self.path.suffix.lower(), "")


def collect(paths: Sequence[Path], passed_over: Callable[[Path, str], None]) -> list[SourceFile]:
    """The files named, and the documents in the folders named.

    A file in a folder is called by the folder's name and its path within; a file named by itself by
    its path from here, or by its bare name where it lies elsewhere. In folders, files that are
    hidden, binary or end in another way than documents do are passed over; a file that is named by
    itself never is: the server says what it thinks of it.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: two different files would have the same name.
    """
    by_id: dict[str, SourceFile] = {}
    for path in paths:
        for source in _below(path, passed_over) if path.is_dir() else [_named_file(path)]:
            other = by_id.setdefault(source.document_id, source)
            if other.path.resolve() != source.path.resolve():
                raise InvalidInput(
                    "PATH",
                    f"gives {other.path} and {source.path} the same name {source.document_id}",
                    "submit them one by one with --id",
                )
    return list(by_id.values())


def _named_file(path: Path) -> SourceFile:
    if not path.exists():
        raise NotFound(f"there is no {path}: give files, folders or {STDIN} for standard input")
    absolute, here = path.resolve(), Path.cwd().resolve()
    inside = absolute.is_relative_to(here)
    name = absolute.relative_to(here).as_posix() if inside else path.name
    return SourceFile(path, name)


def _below(folder: Path, passed_over: Callable[[Path, str], None]) -> Iterator[SourceFile]:
    folder_name = folder.resolve().name
    for path in _walk(folder, passed_over):
        if reason := _skip_reason(path):
            passed_over(path, reason)
        else:
            name = f"{folder_name}/{path.relative_to(folder).as_posix()}"
            yield SourceFile(path, name)


def _walk(folder: Path, passed_over: Callable[[Path, str], None]) -> Iterator[Path]:
    """Links to folders are not followed: they may lead in circles."""
    for parent, folders, files in os.walk(folder):
        for name in sorted(folders):
            if name.startswith("."):
                passed_over(Path(parent, name), "hidden")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files))


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
