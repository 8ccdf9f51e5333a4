"""What `prepare` wrote into a run's folder, as the other verbs read it."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.model_folders import digest_of_file
from pydantic import BaseModel, ConfigDict, ValidationError

from gyre_trainer.data_sets.answers import AnswerRow
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.runs.folder import RunFolder, RunSpec


class LanguageModelRunFiles:
    """Where the files lie that this recipe has beside those of every recipe."""

    def __init__(self, folder: RunFolder) -> None:
        self.inputs = folder.path / "inputs.json"
        self.samples = folder.path / "samples.jsonl"
        self.report = folder.path / "report.json"
        self.card = folder.path / "README.md"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Inputs(_Line):
    """What training checks before it begins (`inputs.json`): where the base's files lie, if it
    needs them, what they and `samples.jsonl` should be, and the version `base` with the `prompt` it
    is trained for; the same of `start`, an adapter of the base that training goes on from.
    """

    base_folder: str = ""
    base_digest: str = ""
    base: Artifact
    start_folder: str = ""
    start_digest: str = ""
    start: Artifact | None = None
    prompt: str
    data_set: str
    samples_digest: str

    @property
    def begins_with(self) -> Artifact:
        """The version as which the model answers before the first step."""
        return self.start or self.base


class Sample(_Line):
    """A question as a model is asked it and what it should have said, by the row that refers to it.
    `system` and `user` have marks in the place of `passages`, which are by number. Of a pair,
    `rejected` is the worse answer; where the row is not `desirable`, `answer` should not be given.
    `confidence` is the reader's that the passages answer; None where it was not asked for.
    """

    row: AnswerRow
    asked: QuestionContext
    system: str
    user: str
    passages: dict[str, str]
    answer: str
    rejected: str = ""
    confidence: float | None = None


class RunData:
    """A run's inputs. Every member raises FailedPrecondition that names the file and its fault."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._files = LanguageModelRunFiles(folder)

    @cached_property
    def spec(self) -> RunSpec:
        """What the run was asked to do."""
        return self._folder.spec()

    @cached_property
    def inputs(self) -> Inputs:
        """Where the base model lies, and what the files should be."""
        path = self._files.inputs
        try:
            return Inputs.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise FailedPrecondition(f"{path} cannot be read: start a new run") from error

    @cached_property
    def base_folder(self) -> Path:
        """Where the base model lies, unchanged since the run began."""
        return _unchanged(self.inputs.base_folder, self.inputs.base_digest, "base model")

    @cached_property
    def start_folder(self) -> Path | None:
        """The same of the adapter that training goes on from; None where it starts anew."""
        if self.inputs.start is None:
            return None
        return _unchanged(self.inputs.start_folder, self.inputs.start_digest, "adapter")

    def samples(self, part: DataSetPart) -> Sequence[Sample]:
        """Those of one part, in the data set's order."""
        return [sample for sample in self._samples if sample.row.part is part]

    @cached_property
    def _samples(self) -> Sequence[Sample]:
        path = self._files.samples
        if digest_of_file(path) != self.inputs.samples_digest:
            raise FailedPrecondition(f"{path} has changed since the run began: start a new run")
        return list(_lines(path))

    def digest(self) -> str:
        """Of everything that is learned from."""
        inputs = self.inputs
        together = f"{inputs.samples_digest} {inputs.base_digest} {inputs.start_digest}".strip()
        return hashlib.sha256(together.encode()).hexdigest()


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """One a line."""
    with path.open("w", encoding="utf-8") as file:
        for sample in samples:
            file.write(f"{sample.model_dump_json()}\n")


def folder_digest(folder: Path) -> str:
    """Of all files of a model's folder but hidden ones, by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = "\n".join(
        f"{path.relative_to(folder)} {digest_of_file(path)}"
        for path in paths
        if "/." not in f"/{path.relative_to(folder)}"
    )
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _unchanged(path: str, digest: str, what: str) -> Path:
    folder = Path(path)
    if folder_digest(folder) != digest:
        raise FailedPrecondition(
            f"the {what} {folder} has changed since the run began: start a new run"
        )
    return folder


def _lines(path: Path) -> Iterator[Sample]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Sample.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                what = ".".join(str(part) for part in first["loc"]) or "line"
                raise FailedPrecondition(
                    f"{path} line {number} is not what it should be: {what}: {first['msg']}"
                ) from error
