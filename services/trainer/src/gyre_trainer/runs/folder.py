"""The folder of one run, through whose files its verbs speak, and where the folders of runs are."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from gyre_common.errors import Conflict, FailedPrecondition, GyreError, Retryable
from gyre_common.events.event import Digest, Timestamp, Version, now
from gyre_common.events.releases import Artifact, Role
from gyre_common.events.training import Verdict
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _RunFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


W = TypeVar("W", bound=BaseModel)


class RunSpec(_RunFile):
    """What a run was asked to do, and what was live when it began (`run.json`).

    `settings` are the recipe's where they differ from its own; `verb_minutes` is how long one verb
    may take; `version` is the name that the candidate will have; `live` holds the artifact of each
    role that the recipe reads, `base` the version that the candidate starts from, with its
    artifact; `window` the offsets that were durable when it began. Of a run for all tenants,
    `unaffected` are those that have a version of their own, so that they do not get the candidate.
    """

    run_id: UUID
    tenant: str
    recipe: str
    role: Role
    profile: str = "default"
    settings: dict[str, str] = Field(default_factory=dict)
    verb_minutes: float | None = None
    hold: bool = False
    actor: str
    reason: str = ""
    code: str = ""
    version: Version
    live: dict[str, Artifact]
    window: dict[str, tuple[int, int]] = Field(default_factory=dict)
    started_at: Timestamp
    base: Version | None = None
    base_artifact: Artifact | None = None
    named: dict[str, Artifact] = Field(default_factory=dict)
    unaffected: tuple[str, ...] = ()


class Prepared(_RunFile):
    """`prepared.json`, the mark that `prepare` is done. `window` holds the offsets of the data set;
    `note` goes into how the run ended.
    """

    data_set: Digest
    note: str = ""
    window: dict[str, str] = Field(default_factory=dict)
    votes: int = 0
    first_vote_at: Timestamp | None = None
    last_vote_at: Timestamp | None = None


class ExportedCandidate(_RunFile):
    """The version that the run made (`candidate.json`). One that is settings alone has no `uri`;
    `fits` is the version of another role that it works with.
    """

    version: Version
    digest: Digest
    uri: str | None = None
    fits: Version | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    variant: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)


class ProgressLine(_RunFile):
    """One line of `progress.jsonl`: `step` of `steps` of a stage, 0 of 0 where it has no steps."""

    stage: str
    step: int = 0
    steps: int = 0
    metrics: dict[str, float] = Field(default_factory=dict)
    message: str = ""
    at: datetime | None = None


class RunFolder:
    """Where each file of a run lies. Reading one raises FailedPrecondition: missing or damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec_file = path / "run.json"
        self.prepared_file = path / "prepared.json"
        self.data_set = path / "data_set"
        self.candidate = path / "candidate"
        self.candidate_file = path / "candidate.json"
        self.verdict_file = path / "verdict.json"
        self.progress_file = path / "progress.jsonl"
        self.logs = path / "logs"
        self.temporary = path / "tmp"

    def variant(self, name: str) -> Path:
        """Where one way of training keeps its checkpoints and its `result.json`."""
        return self.path / name

    def spec(self) -> RunSpec:
        """What was asked for."""
        return _read(self.spec_file, RunSpec)

    def prepared(self) -> Prepared:
        """What `prepare` made."""
        return _read(self.prepared_file, Prepared)

    @property
    def data_set_digest(self) -> Digest | None:
        """None before a freeze. Raises FailedPrecondition where `prepare` was not finished."""
        if not self.data_set.exists() and not self.prepared_file.exists():
            return None
        return self.prepared().data_set

    def exported(self) -> ExportedCandidate:
        """What `export` made."""
        return _read(self.candidate_file, ExportedCandidate)

    def verdict(self) -> Verdict:
        """What `compare` found."""
        return _read(self.verdict_file, Verdict)

    def progress(
        self,
        stage: str,
        step: int = 0,
        steps: int = 0,
        metrics: Mapping[str, float] | None = None,
        message: str = "",
    ) -> None:
        """Say how far the run is; whoever follows it reads it within a second."""
        line = ProgressLine(
            stage=stage,
            step=step,
            steps=steps,
            metrics=dict(metrics or {}),
            message=message,
            at=now(),
        )
        with self.progress_file.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")

    def drop_checkpoints(self, variants: tuple[str, ...]) -> None:
        """What training needed to go on; what it says of itself stays."""
        for variant in variants:
            for path in self.variant(variant).glob("*"):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.suffix != ".json":
                    path.unlink(missing_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)


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
        """Hold its lock. Raises Conflict when another holds it, FailedPrecondition: no folder."""
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
            with suppress(GyreError, ValueError, OSError), self.claim(UUID(path.name)):
                shutil.rmtree(path, ignore_errors=True)

    def forget(self, concerned: Callable[[RunFolder], bool]) -> int:
        """Remove the runs that are concerned or damaged, but those in use; returns how many."""
        removed = 0
        for path in sorted(self._root.glob("*/run.json")):
            try:
                with suppress(Conflict, ValueError), self.claim(UUID(path.parent.name)) as folder:
                    if _is_concerned(folder, concerned):
                        shutil.rmtree(folder.path)
                        removed += 1
            except OSError as error:
                raise Retryable(
                    f"cannot remove {path.parent}: {error.strerror or error}"
                ) from error
        return removed


def write_json(path: Path, content: BaseModel | Mapping[str, object]) -> None:
    """Write a file that is whole or not there, in canonical JSON."""
    data = content.model_dump(mode="json") if isinstance(content, BaseModel) else dict(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(data, file, sort_keys=True, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read(path: Path, kind: type[W]) -> W:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise FailedPrecondition(
            f"{path.parent} holds no {path.name}: the verb that writes it has not been run"
        ) from error
    except ValidationError as error:
        raise FailedPrecondition(
            f"{path} is damaged: remove the folder and start another run"
        ) from error


def _is_concerned(folder: RunFolder, concerned: Callable[[RunFolder], bool]) -> bool:
    try:
        return concerned(folder)
    except FailedPrecondition:
        return True
