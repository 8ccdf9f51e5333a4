"""A frozen data set: its rows, its files, the digest that names them all; and it as a folder."""

import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from gyre_common.errors import FailedPrecondition, GyreError, Retryable
from gyre_common.store import digest_of
from pydantic import BaseModel, ConfigDict, Field

TRAIN, GATE, CARD, MANIFEST = "train.jsonl", "gate.jsonl", "card.json", "manifest.json"

Card = dict[str, Any]
"""JSON; docs/guides/data-sets.md says how to read it."""

Reference = tuple[str, str]
"""A question: its tenant and interaction id."""


class DataSetPart(StrEnum):
    """What a question is for: `fit` and `validation` are the train side."""

    FIT = "fit"
    VALIDATION = "validation"
    GATE = "gate"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ShownRow(_Row):
    """`label` is in -1..1, None: nothing is known; `why`: what it rests on; `actors`: how many."""

    chunk_id: str
    document_id: str = ""
    rank: int = Field(default=1, ge=1)
    scores: dict[str, float] = Field(default_factory=dict)
    used: bool = False
    cited: bool = False
    explored: bool = False
    propensity: float = Field(default=1.0, gt=0, le=1)
    label: float | None = Field(default=None, ge=-1, le=1)
    why: str = ""
    actors: int = 0

    @property
    def is_liked(self) -> bool:
        """Whether the label is above nothing."""
        return (self.label or 0) > 0


class DataSetRow(_Row):
    """See docs/guides/data-sets.md. `question` is the text of the fact that the row refers to, and
    is never written. `held_out`: none of the documents liked for it is liked on the
    side that learns. `actors` are digests of who spoke; `at` is RFC 3339 in UTC.
    """

    question_id: str
    tenant: str = ""
    acl: tuple[str, ...] = ()
    question: str = Field(default="", exclude=True)
    cluster: str = ""
    part: DataSetPart = DataSetPart.FIT
    held_out: bool = False
    shown: tuple[ShownRow, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    actors: tuple[str, ...] = ()
    at: str = ""

    @property
    def is_liked(self) -> bool:
        """Whether a passage is liked for the question, so that the gate can score it."""
        return any(one.is_liked for one in self.shown)

    @property
    def reference(self) -> Reference:
        """The question that it is about."""
        return (self.tenant, self.question_id)


@dataclass(frozen=True)
class FrozenDataSet:
    """A data set, whole. `digest` is the manifest's, which names the digest of every other file."""

    digest: str
    tenant: str
    card: Card
    files: Mapping[str, bytes]

    def rows(self, *names: str) -> list[DataSetRow]:
        """Those of `TRAIN`, of `GATE`, or of both."""
        lines = (line for name in names for line in self.files[name].splitlines())
        return [DataSetRow.model_validate_json(line) for line in lines]


def frozen_of(tenant: str, rows: Iterable[DataSetRow], card: Card) -> FrozenDataSet:
    """The data set of these rows, in this order."""
    sides: dict[str, list[str]] = {TRAIN: [], GATE: []}
    for row in rows:
        side = GATE if row.part is DataSetPart.GATE else TRAIN
        sides[side].append(f"{canonical(row.model_dump(mode='json'))}\n")
    files = {name: "".join(lines).encode() for name, lines in sides.items()}
    files[CARD] = canonical(card).encode()
    digests = {
        name: {"digest": digest_of(data), "size_bytes": len(data)} for name, data in files.items()
    }
    of_card = {name: card[name] for name in ("profile", "window", "builder")}
    manifest = {"format": 2, "tenant": tenant, **of_card, "files": digests}
    files[MANIFEST] = canonical(manifest).encode()
    return FrozenDataSet(digest_of(files[MANIFEST]), tenant, card, files)


def rfc3339(moment: datetime) -> str:
    """In UTC, to the microsecond, always of the same length."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> str:
    """The one way to write a value as JSON: sorted keys, no spaces, no escapes but needed ones."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def without_deleted(rows: Iterable[DataSetRow], chunk_ids: Collection[str]) -> list[DataSetRow]:
    """A passage that is not in the corpus any more has no label (`why` is `deleted`). A question
    goes with the last passage liked for it, and one that liked nothing with its last label.
    """
    deleted = {"label": None, "why": "deleted", "actors": 0}
    remaining = []
    for row in rows:
        shown = tuple(
            one if one.chunk_id in chunk_ids else one.model_copy(update=deleted)
            for one in row.shown
        )
        updated = row.model_copy(update={"shown": shown})
        labelled = any(one.label is not None for one in shown)
        if updated.is_liked or (labelled and not row.is_liked):
            remaining.append(updated)
    return remaining


def write_folder(frozen: FrozenDataSet, folder: Path) -> None:
    """Replaces the folder. Raises Retryable when the disk is full or read-only."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as half:
            whole = Path(half) / folder.name
            whole.mkdir()
            for name, data in frozen.files.items():
                with (whole / name).open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            shutil.rmtree(folder, ignore_errors=True)
            whole.rename(folder)
    except OSError as error:
        raise Retryable(
            f"cannot write the data set to {folder}: {error.strerror or error}"
        ) from error


def read_folder(
    folder: Path, digest: str = "", names: Iterable[str] = (TRAIN, GATE, CARD)
) -> dict[str, bytes]:
    """The files of these names and the manifest; with `digest`, of no other data set. Raises
    FailedPrecondition that names a file which is missing, or is not what was frozen.
    """
    try:
        files = {name: (folder / name).read_bytes() for name in (MANIFEST, *names)}
    except OSError as error:
        raise FailedPrecondition(
            f"the data set in {folder} is not whole ({error.strerror}: {error.filename}): "
            "freeze it again with a new run"
        ) from error
    if digest and digest_of(files[MANIFEST]) != digest:
        raise _changed(folder, MANIFEST)
    try:
        digests = {name: of["digest"] for name, of in json.loads(files[MANIFEST])["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _changed(folder, MANIFEST) from error
    for name in names:
        if name not in digests:
            raise FailedPrecondition(f"{folder / MANIFEST} lacks {name}: the data set is not whole")
        if digest_of(files[name]) != digests[name]:
            raise _changed(folder, name)
    return files


def _changed(folder: Path, name: str) -> GyreError:
    return FailedPrecondition(
        f"{name} of the data set in {folder} was changed after it was frozen: its digest does not "
        "match; start a new run, which freezes it again"
    )
