"""The folder of one run: the files through which its verbs, which are processes, speak."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import Digest, Timestamp, Version, now
from gyre_common.events.releases import Artifact, Role
from gyre_common.events.training import Verdict
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _RunFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


W = TypeVar("W", bound=BaseModel)


class RunSpec(_RunFile):
    """What a run was asked to do, and what was live when it began (`run.json`).

    `settings` are the recipe's where they differ from its own; `version` is the name that the
    candidate will have; `live` holds the artifact of each role that the recipe reads, `base` the
    version that the candidate starts from; `window` the offsets that were durable when it began.
    """

    run_id: UUID
    tenant: str
    recipe: str
    role: Role
    profile: str = "default"
    settings: dict[str, str] = Field(default_factory=dict)
    hold: bool = False
    actor: str
    reason: str = ""
    code: str = ""
    version: Version
    live: dict[str, Artifact]
    window: dict[str, tuple[int, int]] = Field(default_factory=dict)
    started_at: Timestamp
    base: Version | None = None


class Prepared(_RunFile):
    """What there is to train with (`prepared.json`, the mark that `prepare` is done).

    `window` holds the offsets that the data set covers; `note` is what whoever reads how the run
    ended should know of the data set.
    """

    data_set: Digest
    note: str = ""
    window: dict[str, str] = Field(default_factory=dict)
    votes: int = 0
    first_vote_at: Timestamp | None = None
    last_vote_at: Timestamp | None = None


class ExportedCandidate(_RunFile):
    """The version that the run made (`candidate.json`).

    Its files lie in the store at `uri`; a version that is settings alone has none. `fits` is the
    version of another role that it works with.
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
    """Where each file of a run lies that every recipe has. A JSON file is whole or not there."""

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
        """Raises FailedPrecondition when the folder is not one of a run."""
        return _read(self.spec_file, RunSpec)

    def prepared(self) -> Prepared:
        """Raises FailedPrecondition before `prepare` is done."""
        return _read(self.prepared_file, Prepared)

    @property
    def data_set_digest(self) -> Digest | None:
        """Of what it was prepared with; None where nothing was frozen yet.

        Raises FailedPrecondition for a folder in which `prepare` did not come to its end: it holds
        texts, and does not tell of what.
        """
        if not self.data_set.exists() and not self.prepared_file.exists():
            return None
        return self.prepared().data_set

    def exported(self) -> ExportedCandidate:
        """Raises FailedPrecondition before `export` is done."""
        return _read(self.candidate_file, ExportedCandidate)

    def verdict(self) -> Verdict:
        """Raises FailedPrecondition before `compare` is done."""
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
