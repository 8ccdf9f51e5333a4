"""The folder that holds one running system: where things lie, and who may use it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gyre_local.errors import AlreadyRunningError, HomeError

_MEGABYTE = 1024 * 1024
_ROOM_NEEDED = 512 * _MEGABYTE


class Home:
    """Paths only; nothing is touched before `claimed`."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.run = self.path / "run"
        self.logs = self.path / "logs"
        self.state = self.run / "state.json"

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{name}.log"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Holds the home for this process alone.

        Raises HomeError when it cannot be written, AlreadyRunningError when another holds it.
        """
        self.prepare()
        with (self.run / "lock").open("a+") as lock:
            lock.seek(0)
            if not try_lock(lock.fileno()):
                raise AlreadyRunningError.in_home(self.path, lock.read().strip() or "unknown")
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def prepare(self) -> None:
        """Makes the folders. Raises HomeError when that, or writing to them, is not possible."""
        try:
            self.run.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            trial = self.run / "trial"
            trial.write_bytes(bytes(_MEGABYTE))
            trial.unlink()
            free = shutil.disk_usage(self.path).free
        except OSError as error:
            raise HomeError(
                f"cannot use {self.path}: {error.strerror}; free it or choose another with --home"
            ) from error
        if free < _ROOM_NEEDED:
            raise HomeError(
                f"{self.path} has {free // _MEGABYTE} MB free, {_ROOM_NEEDED // _MEGABYTE} MB are "
                "needed: make room or choose another folder with --home"
            )


def try_lock(descriptor: int) -> bool:
    """Lock a file until it is closed; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
