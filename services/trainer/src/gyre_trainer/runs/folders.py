"""Where the runs' folders are, whose turn it is in one, and which of them may go."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from gyre_common.errors import Conflict, FailedPrecondition, Retryable

from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json


class RunFolders:
    """One folder a run below `root`; of finished runs the newest `keep_newest` stay."""

    def __init__(self, root: Path, *, keep_newest: int) -> None:
        self._root = root
        self._keep_newest = keep_newest

    def folder(self, run_id: UUID) -> RunFolder:
        """It need not be there."""
        return RunFolder(self._root / str(run_id))

    def create(self, spec: RunSpec) -> RunFolder:
        """Raises Retryable when the disk is full or read-only."""
        folder = self.folder(spec.run_id)
        try:
            write_json(folder.spec_file, spec)
        except OSError as error:
            raise Retryable(f"cannot write to {self._root}: {error.strerror or error}") from error
        return folder

    @contextmanager
    def claim(self, run_id: UUID) -> Iterator[RunFolder]:
        """Nobody else works in that folder meanwhile, not even another trainer on this machine.

        Raises:
            Conflict: somebody does.
            FailedPrecondition: the folder is gone.
        """
        folder = self.folder(run_id)
        if not folder.spec_file.exists():
            raise FailedPrecondition(
                f"the folder of run {run_id} is not on this machine any more: start another run"
            )
        with (folder.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Conflict(f"another trainer still works on run {run_id}") from error
            yield folder

    def tidy(self) -> None:
        """Remove the folders of older runs, but those that cannot be removed or are in use."""
        if not self._root.is_dir():
            return
        # Ids are UUIDv7, so that names sort by time.
        for path in sorted(self._root.iterdir(), reverse=True)[self._keep_newest :]:
            try:
                with self.claim(UUID(path.name)):
                    shutil.rmtree(path, ignore_errors=True)
            except (Conflict, FailedPrecondition, ValueError, OSError):
                continue

    def forget(self, concerned: Callable[[RunFolder], bool]) -> int:
        """Remove the folders of the runs that are concerned, and those that tell nothing; returns
        how many. One in use stays.
        """
        removed = 0
        for path in sorted(self._root.glob("*/run.json")):
            try:
                with self.claim(UUID(path.parent.name)) as folder:
                    if _is_concerned(folder, concerned):
                        shutil.rmtree(folder.path)
                        removed += 1
            except (Conflict, ValueError):
                continue
            except OSError as error:
                raise Retryable(
                    f"cannot remove {path.parent}: {error.strerror or error}"
                ) from error
        return removed


def _is_concerned(folder: RunFolder, concerned: Callable[[RunFolder], bool]) -> bool:
    try:
        return concerned(folder)
    except FailedPrecondition:
        return True


def drop_checkpoints(folder: RunFolder, variants: tuple[str, ...]) -> None:
    """What training needed to go on; what it says of itself stays."""
    for variant in variants:
        for path in folder.variant(variant).glob("*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix != ".json":
                path.unlink(missing_ok=True)
    shutil.rmtree(folder.temporary, ignore_errors=True)
