"""Folders of downloaded files that several processes share, and how old ones go."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

_REMOVED = ".removed-"


class FolderCache:
    """Folders by name. One that was opened is in use, and stays, until `keep_only` of the same
    object lets go of it or the process ends.

    Its methods block, and may be called from any thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._in_use: dict[str, int] = {}

    def open(self, name: str) -> Path:
        """The folder, made if need be. Raises OSError: the disk is full or read-only."""
        folder = self.path / name
        while name not in self._in_use:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder, fcntl.LOCK_SH)
            if lock is not None and self._in_use.setdefault(name, lock) != lock:
                os.close(lock)
        return folder

    def keep_only(self, names: Collection[str]) -> None:
        """Remove every other folder, unless another process has it in use."""
        for name in self._in_use.keys() - set(names):
            os.close(self._in_use.pop(name))
        if not self.path.is_dir():
            return
        for folder in self.path.iterdir():
            if folder.name not in names and folder.is_dir():
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        lock = _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            return
        try:
            # Away in one step, so that nobody opens what is half gone.
            away = folder.rename(self.path / f"{_REMOVED}{uuid4().hex}")
        finally:
            os.close(lock)
        shutil.rmtree(away, ignore_errors=True)


def write_whole(path: Path, content: bytes) -> None:
    """Whole or not at all; whoever has the old file open keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".put-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _locked(folder: Path, how: int) -> int | None:
    """A lock on the folder that stands at this path; None when it is taken, or was moved away."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, how)
        if os.path.samestat(os.fstat(lock), folder.stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
