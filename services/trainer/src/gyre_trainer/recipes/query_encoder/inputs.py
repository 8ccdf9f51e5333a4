"""What `prepare` wrote into a run's folder, as the other verbs read it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from gyre_common.chunk_index import readable_by, readers
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.fusion import BM25, DENSE
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from gyre_trainer.data_sets.frozen import CARD, TRAIN, DataSetRow, read_folder
from gyre_trainer.recipes.query_encoder.moved_passages import Moved, with_moved
from gyre_trainer.recipes.query_encoder.ranking import LiveHits
from gyre_trainer.runs.folder import RunFolder, RunSpec

BASE_FILES = ("config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json")
"""What training needs of a base model's folder."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
L = TypeVar("L", bound=BaseModel)


class QueryEncoderFiles:
    """Where the files lie that this recipe has beside those of every recipe."""

    def __init__(self, folder: RunFolder) -> None:
        self.inputs = folder.path / "inputs.json"
        self.questions = folder.path / "questions.jsonl"
        self.moved = folder.path / "moved.json"
        self.corpus_rows = folder.path / "corpus.jsonl"
        self.corpus_vectors = folder.path / "corpus.npy"
        self.live = folder.path / "live.jsonl"
        self.report = folder.path / "report.json"
        self.card = folder.path / "README.md"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Inputs(_Line):
    """What training checks before it begins (`inputs.json`). Digests, unchecked where empty, are of
    the base's files, of `data_set/manifest.json`, of `corpus.npy`, of `questions.jsonl` and of
    `moved.json`.
    """

    base_folder: str
    base_digest: str = ""
    data_set: str = ""
    corpus_digest: str = ""
    questions_digest: str = ""
    moved_digest: str = ""


class QuestionText(_Line):
    """What a question says, by the reference that its row has to it."""

    tenant: str
    question_id: str
    question: str


class CorpusPassage(_Line):
    """A passage of the index, as far as training reads it; one without `acl` is public."""

    chunk_id: str
    tenant: str = ""
    acl: tuple[str, ...] = ()
    title: str = ""
    text: str


@dataclass(frozen=True)
class EncodedCorpus:
    """The passages and their unit vectors, in the same order."""

    passages: Sequence[CorpusPassage]
    vectors: Floats
    _hidden: dict[tuple[str, tuple[str, ...]], Flags | None] = field(default_factory=dict)

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""
        return int(self.vectors.shape[1])

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Where a passage stands, by its id."""
        return {passage.chunk_id: at for at, passage in enumerate(self.passages)}

    def hidden(self, tenant: str, acl: Sequence[str]) -> Flags | None:
        """Which passages that tenant and those groups cannot find; None where they find all."""
        asker = (tenant, tuple(acl))
        if asker not in self._hidden:
            terms = frozenset(readers(acl))
            hidden = np.array(
                [
                    each.tenant != tenant or terms.isdisjoint(readable_by(each.acl))
                    for each in self.passages
                ]
            )
            self._hidden[asker] = hidden if hidden.any() else None
        return self._hidden[asker]


class RunData:
    """A run's inputs. Every member raises FailedPrecondition that names the file and its fault."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._files = QueryEncoderFiles(folder)

    @cached_property
    def spec(self) -> RunSpec:
        """What the run was asked to do."""
        return self._folder.spec()

    @cached_property
    def inputs(self) -> Inputs:
        """Where the base model lies, and what the files should be."""
        with _opened(self._files.inputs) as file:
            (inputs,) = _parsed(self._files.inputs, [file.read()], Inputs)
        return inputs

    @cached_property
    def base_folder(self) -> Path:
        """Where the base model lies, unchanged since the run began."""
        folder = Path(self.inputs.base_folder)
        if self.inputs.base_digest not in ("", base_digest(folder)):
            raise FailedPrecondition(
                f"the base model {folder} has changed since the run began: start a new run"
            )
        return folder

    @cached_property
    def questions(self) -> Sequence[DataSetRow]:
        """Every labelled question of the training side, in the data set's order."""
        rows = self.rows(TRAIN)
        if not any(row.part == "fit" for row in rows):
            path = self._folder.data_set / TRAIN
            raise FailedPrecondition(f"{path} holds no question to learn from")
        return rows

    def rows(self, name: str) -> list[DataSetRow]:
        """Those of `TRAIN` or `GATE`. Data sets of before they held references have their texts."""
        content = self._data_set_file(name)
        rows = []
        for row in _parsed(self._folder.data_set / name, content.splitlines(), DataSetRow):
            if row.question:
                rows.append(row)
                continue
            text = self._texts.get(row.reference)
            if text is None:
                raise FailedPrecondition(
                    f"{self._files.questions} lacks question {row.question_id}: start a new run"
                )
            rows.append(row.model_copy(update={"question": text}))
        return list(with_moved(rows, self._moved))

    @cached_property
    def data_set_card(self) -> Mapping[str, Any]:
        """What the data set is made of; see docs/guides/data-sets.md."""
        card: Mapping[str, Any] = json.loads(self._data_set_file(CARD))
        return card

    def _data_set_file(self, name: str) -> bytes:
        """Each process of a training reads no other file of the data set."""
        return read_folder(self._folder.data_set, self.inputs.data_set, (name,))[name]

    @cached_property
    def _moved(self) -> Moved:
        """Runs of before passages were found again have no such file."""
        path = self._files.moved
        if not self.inputs.moved_digest:
            return {}
        _check(path, self.inputs.moved_digest)
        moved: Moved = json.loads(path.read_text(encoding="utf-8"))
        return moved

    @cached_property
    def _texts(self) -> Mapping[tuple[str, str], str]:
        path = self._files.questions
        _check(path, self.inputs.questions_digest)
        lines = _lines(path, QuestionText)
        return {(line.tenant, line.question_id): line.question for line in lines}

    @cached_property
    def passages(self) -> Sequence[CorpusPassage]:
        """Those of the run's snapshot of the index."""
        return list(_lines(self._files.corpus_rows, CorpusPassage))

    @cached_property
    def corpus(self) -> EncodedCorpus:
        """The passages with their vectors."""
        path = self._files.corpus_vectors
        _check(path, self.inputs.corpus_digest)
        try:
            vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FailedPrecondition(f"{path} cannot be read as vectors: {error}") from error
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise FailedPrecondition(f"{path} does not hold float32 vectors, one a row")
        if len(self.passages) != len(vectors) or not self.passages:
            raise FailedPrecondition(
                f"{path} holds {len(vectors)} vectors for {len(self.passages)} passages in "
                "corpus.jsonl"
            )
        return EncodedCorpus(self.passages, vectors)

    @cached_property
    def live(self) -> Mapping[str, LiveHits]:
        """What live found, by question id; nothing where the run has no such file."""
        path = self._files.live
        if not path.exists():
            return {}
        return {line.question_id: line for line in _lines(path, LiveHits)}

    @property
    def depth(self) -> int:
        """How many hits live takes from each leg; as Gyre's own where live says nothing."""
        return int({**RETRIEVAL_SETTINGS, **self._live_retrieval}["candidates"])

    @property
    def dense_weight(self) -> float:
        """The share of live's dense leg in fusion; half of it where live says nothing."""
        legs = [float(self._live_retrieval.get(f"{leg}_weight", 1)) for leg in (BM25, DENSE)]
        return legs[1] / sum(legs)

    @property
    def _live_retrieval(self) -> Mapping[str, str]:
        live = self.spec.live.get(Roles.RETRIEVAL)
        return live.settings if live else {}

    def digest(self) -> str:
        """Of everything that is learned from."""
        files = self._files
        inputs = (
            files.questions,
            files.corpus_rows,
            files.corpus_vectors,
            files.live,
            files.moved,
        )
        paths = [self._folder.data_set / TRAIN, *inputs]
        digests = [file_digest(path) for path in paths if path.exists()]
        digests.append(base_digest(Path(self.inputs.base_folder)))
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def check_base(folder: Path) -> None:
    """Raises FailedPrecondition, naming a file that training needs and that is missing."""
    for name in BASE_FILES:
        if not (folder / name).is_file():
            raise FailedPrecondition(f"the base model {folder} has no {name}: it is not whole")


def base_digest(folder: Path) -> str:
    """Of the files that training needs; raises as `check_base` does."""
    check_base(folder)
    digests = " ".join(file_digest(folder / name) for name in BASE_FILES)
    return f"sha256:{hashlib.sha256(digests.encode()).hexdigest()}"


def _check(path: Path, digest: str) -> None:
    actual_digest = file_digest(path) if digest else ""
    if actual_digest != digest:
        raise FailedPrecondition(
            f"{path} has changed: it should be {digest} but is {actual_digest} — start a new run"
        )


def file_digest(path: Path) -> str:
    """Raises FailedPrecondition when it cannot be read."""
    with _opened(path) as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error


def _lines(path: Path, model: type[L]) -> Iterator[L]:
    with _opened(path) as file:
        yield from _parsed(path, file, model)


def _parsed(path: Path, lines: Iterable[bytes], model: type[L]) -> Iterator[L]:
    for number, line in enumerate(lines, start=1):
        try:
            yield model.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            what = ".".join(str(part) for part in first["loc"]) or "line"
            raise FailedPrecondition(
                f"{path} line {number} is not what it should be: {what}: {first['msg']}"
            ) from error
