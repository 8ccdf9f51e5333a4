"""Reads what `prepare` wrote: the questions, the passages, what live found."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from gyre_common.chunk_index import readable_by, readers
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.fusion import BM25, DENSE
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gyre_trainer.recipes.query_encoder.files import Inputs, QueryEncoderFiles
from gyre_trainer.runs.folder import RunFolder, RunSpec

BASE_FILES = ("config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json")
"""What training needs of a base model's folder."""

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Line = TypeVar("Line", bound=BaseModel)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LabelledPassage(_Line):
    """A passage that a question was shown, and what people made of it: 1 good, -1 bad."""

    chunk_id: str
    label: float | None = None


class QuestionRow(_Line):
    """A question, asked once and judged. `held_out`: none of its documents has a vote in fit."""

    question_id: str
    tenant: str = ""
    acl: tuple[str, ...] = ()
    question: str = ""
    cluster: str = ""
    part: str = "fit"
    held_out: bool = False
    shown: tuple[LabelledPassage, ...] = ()


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


class LiveHit(NamedTuple):
    """A passage that live found for a question; a leg that did not find it has no score."""

    chunk_id: str
    bm25: float | None
    dense: float | None
    fused: float


class LiveHits(_Line):
    """What live found for a question. `spans` are the least and the greatest score of each leg."""

    question_id: str
    legs: tuple[LiveHit, ...] = ()
    spans: dict[str, tuple[float, float]] = Field(default_factory=dict)


class _ManifestFile(_Line):
    digest: str = Field(min_length=1)


class _DataSetManifest(_Line):
    files: dict[str, _ManifestFile]


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

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Where a passage stands, by its id."""
        return {passage.chunk_id: at for at, passage in enumerate(self.passages)}


class RunData:
    """The inputs of a run, each read when it is asked for.

    Raises, from every member: FailedPrecondition, naming the file and what is wrong with it.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._files = QueryEncoderFiles(folder)

    @cached_property
    def spec(self) -> RunSpec:
        """What is asked for."""
        return self._folder.spec()

    @cached_property
    def inputs(self) -> Inputs:
        """Where the base model lies, and what the files should be."""
        return _parsed(self._files.inputs, Inputs)

    @cached_property
    def base_folder(self) -> Path:
        """Where the base model lies, unchanged since the run began."""
        folder = Path(self.inputs.base_folder)
        digest = base_digest(folder)
        if self.inputs.base_digest and digest != self.inputs.base_digest:
            raise FailedPrecondition(
                f"the base model {folder} has changed since the run began: start a new run"
            )
        return folder

    @cached_property
    def questions(self) -> Sequence[QuestionRow]:
        """Every labelled question of the training side, in the data set's order."""
        path = self._questions
        self._check_data_set(path)
        rows = [self._with_text(row) for row in _lines(path, QuestionRow)]
        if not any(row.part == "fit" for row in rows):
            raise FailedPrecondition(f"{path} holds no question to learn from")
        return rows

    @cached_property
    def corpus(self) -> EncodedCorpus:
        """The passages with their vectors."""
        path = self._files.corpus_vectors
        _check(path, self.inputs.corpus_digest)
        try:
            vectors = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise FailedPrecondition(f"{path} cannot be read as vectors: {error}") from error
        passages = list(_lines(self._files.corpus_rows, CorpusPassage))
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise FailedPrecondition(f"{path} does not hold float32 vectors, one a row")
        if len(passages) != len(vectors) or not passages:
            raise FailedPrecondition(
                f"{path} holds {len(vectors)} vectors for {len(passages)} passages in corpus.jsonl"
            )
        return EncodedCorpus(passages, vectors)

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
        live = self.spec.live.get(Roles.RETRIEVAL)
        return int({**RETRIEVAL_SETTINGS, **(live.settings if live else {})}["candidates"])

    @property
    def dense_weight(self) -> float:
        """The share of live's dense leg in fusion; half of it where live says nothing."""
        live = self.spec.live.get(Roles.RETRIEVAL)
        legs = [
            float(live.settings.get(f"{leg}_weight", 1)) if live else 1.0 for leg in (BM25, DENSE)
        ]
        return legs[1] / sum(legs)

    def digest(self) -> str:
        """Of everything that is learned from."""
        inputs = (
            self._questions,
            self._files.questions,
            self._files.corpus_rows,
            self._files.corpus_vectors,
            self._files.live,
        )
        digests = [_digest(path) for path in inputs if path.exists()]
        digests.append(base_digest(Path(self.inputs.base_folder)))
        return hashlib.sha256(" ".join(digests).encode()).hexdigest()

    def _with_text(self, row: QuestionRow) -> QuestionRow:
        """Rows of data sets from before they held references have their text."""
        if row.question:
            return row
        text = self._texts.get((row.tenant, row.question_id))
        if text is None:
            raise FailedPrecondition(
                f"{self._files.questions} lacks question {row.question_id}: start a new run"
            )
        return row.model_copy(update={"question": text})

    @cached_property
    def _texts(self) -> Mapping[tuple[str, str], str]:
        _check(self._files.questions, self.inputs.questions_digest)
        lines = _lines(self._files.questions, QuestionText)
        return {(line.tenant, line.question_id): line.question for line in lines}

    @property
    def _questions(self) -> Path:
        return self._folder.data_set / "train.jsonl"

    def _check_data_set(self, path: Path) -> None:
        """By the manifest alone: each process of a training reads no other file of the data set."""
        manifest = self._folder.data_set / "manifest.json"
        if not manifest.exists():
            raise FailedPrecondition(f"{manifest} is missing: the data set is not whole")
        _check(manifest, self.inputs.data_set)
        named = _parsed(manifest, _DataSetManifest).files.get(path.name)
        if named is None:
            raise FailedPrecondition(f"{manifest} lacks {path.name}: the data set is not whole")
        _check(path, named.digest)


def check_base(folder: Path) -> None:
    """Raises FailedPrecondition, naming a file that training needs and that is missing."""
    for name in BASE_FILES:
        if not (folder / name).is_file():
            raise FailedPrecondition(f"the base model {folder} has no {name}: it is not whole")


def base_digest(folder: Path) -> str:
    """Of the files that training needs; raises as `check_base` does."""
    check_base(folder)
    digests = " ".join(_digest(folder / name) for name in BASE_FILES)
    return f"sha256:{hashlib.sha256(digests.encode()).hexdigest()}"


def _check(path: Path, digest: str) -> None:
    """Refuse a file that is not what the run began with."""
    if not digest:
        return
    actual_digest = _digest(path)
    if actual_digest != digest:
        raise FailedPrecondition(
            f"{path} has changed: it should be {digest} but is {actual_digest} — start a new run"
        )


def _digest(path: Path) -> str:
    with _opened(path) as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise FailedPrecondition(f"{path} cannot be read: {error.strerror}") from error


def _parsed(path: Path, model: type[Line]) -> Line:
    try:
        with _opened(path) as file:
            return model.model_validate_json(file.read())
    except ValidationError as error:
        raise FailedPrecondition(f"{path} is not what it should be: {_first(error)}") from error


def _lines(path: Path, model: type[Line]) -> Iterator[Line]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                yield model.model_validate_json(line)
            except ValidationError as error:
                raise FailedPrecondition(
                    f"{path} line {number} is not what it should be: {_first(error)}"
                ) from error


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'line'}: {first['msg']}"
