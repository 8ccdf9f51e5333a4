"""A folder of this machine, mirrored: what is gone from it goes."""

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gyre_common.errors import InvalidInput
from gyre_common.outside_content import open_below
from gyre_common.settings import CommaList
from pydantic import Field

from gyre_ingestor.file_names import FileRules, is_binary, media_type_by_name
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    SourceKind,
    SourceSettings,
    SourceUnreachable,
    Surroundings,
)

PIECE = 256 * 1024


class FolderSettings(SourceSettings):
    """What a folder is told."""

    path: str = Field(description="Absolute, under GYRE_ALLOWED_CONTENT_ROOTS of the ingestor.")
    include: CommaList = Field(default=(), description="Only such files, as *.md,*.pdf.")
    source_uri: str = Field(
        default="", description="Where people find the originals; the name is added."
    )
    watch: bool = Field(default=True, description="Sync as soon as something changes.")


class FolderSource:
    """Lists by walking; symbolic links are never followed."""

    def __init__(self, root: Path, parts: Sequence[str], settings: FolderSettings) -> None:
        self._root = root
        self._parts = tuple(parts)
        self._settings = settings
        self._rules = FileRules(settings.include)

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        for each in await asyncio.to_thread(lambda: list(self._walk())):
            yield each

    async def close(self) -> None:
        """See `Source`: nothing is open."""

    def _walk(self) -> Iterator[Item | Problem]:
        folder = self._root.joinpath(*self._parts)
        if folder.resolve() != folder:
            raise SourceUnreachable(
                f"{folder} leads through a symbolic link: name the folder that it leads to"
            )
        missing: list[Problem] = []
        for parent, folders, files in os.walk(folder, onerror=_raise_for(folder, missing)):
            yield from missing
            missing.clear()
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in [*files, *folders]:
                path = Path(parent, name)
                if name in folders:
                    if path.is_symlink():
                        yield _link(path.relative_to(folder))
                elif self._rules.take(name) and (item := self._item(path, folder)) is not None:
                    yield item
        yield from missing

    def _item(self, path: Path, folder: Path) -> Item | Problem | None:
        within = path.relative_to(folder)
        name = within.as_posix()
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                return _link(within)
            if not stat.S_ISREG(status.st_mode):
                return None
            if not path.suffix and is_binary(path):
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return Problem(_cannot_be_read(error), name)
        base = self._settings.source_uri
        return Item(
            name,
            _fingerprint(status),
            partial(self._read, within),
            media_type=media_type_by_name(name),
            source_uri=f"{base.rstrip('/')}/{name}" if base else "",
        )

    async def _read(self, within: Path) -> AsyncGenerator[bytes, None]:
        """Each step of the path is opened anew, without following links."""
        file: BinaryIO | None = None
        try:
            parts = (*self._parts, *within.parts)
            file = await asyncio.to_thread(open_below, self._root, parts)
            before = _fingerprint(os.fstat(file.fileno()))
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
            if _fingerprint(os.fstat(file.fileno())) != before:
                raise ItemUnreadable("it changed while it was read: the next sync takes it")
        except InvalidInput as error:
            raise ItemUnreadable(f"it {error.problem}: put the file itself there") from error
        except OSError as error:
            raise ItemUnreadable(_cannot_be_read(error)) from error
        finally:
            if file is not None:
                file.close()


def open_folder(settings: FolderSettings, around: Surroundings) -> FolderSource:
    """Raises InvalidInput: it is no folder that may be read."""
    return FolderSource(*around.folder_of("path", settings.path), settings)


FOLDER = SourceKind(FolderSettings, open_folder)


def _raise_for(folder: Path, missing: list[Problem]) -> Callable[[OSError], None]:
    def on_error(error: OSError) -> None:
        if error.filename == str(folder):
            raise SourceUnreachable(
                f"{folder} {_cannot_be_read(error).removeprefix('it ')}"
            ) from error
        missing.append(Problem(f"{error.filename} {_cannot_be_read(error).removeprefix('it ')}"))

    return on_error


def _cannot_be_read(error: OSError) -> str:
    fix = "let the ingestor's user read it, or bring it back"
    return f"it cannot be read ({error.strerror or error}): {fix}"


def _link(within: Path) -> Problem:
    return Problem("it is a symbolic link, which is not followed: put the file there", str(within))


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}"
