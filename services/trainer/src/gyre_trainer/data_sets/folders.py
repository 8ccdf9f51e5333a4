"""A data set as a folder: written whole, and never read back changed."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gyre_common.errors import FailedPrecondition, GyreError, Retryable
from gyre_common.store import digest_of

from gyre_trainer.data_sets.frozen import CARD, GATE, MANIFEST, TRAIN, FrozenDataSet
from gyre_trainer.data_sets.rows import DataSetRow, read_lines


def write_folder(frozen: FrozenDataSet, folder: Path) -> None:
    """Write the files of a data set; a folder that is there already is replaced.

    Raises:
        Retryable: the disk is full or read-only.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as half:
            whole = Path(half) / folder.name
            whole.mkdir()
            for name, data in frozen.files.items():
                _write(whole / name, data)
            shutil.rmtree(folder, ignore_errors=True)
            whole.rename(folder)
    except OSError as error:
        raise Retryable(
            f"cannot write the data set to {folder}: {error.strerror or error}"
        ) from error


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def read_folder(folder: Path, digest: str | None = None) -> FrozenDataSet:
    """Read a data set back; with `digest`, that one and no other.

    Raises:
        FailedPrecondition: a file is missing or is not what was frozen; says which.
    """
    try:
        files = {name: (folder / name).read_bytes() for name in (TRAIN, GATE, CARD, MANIFEST)}
    except OSError as error:
        raise FailedPrecondition(
            f"the data set in {folder} is not whole ({error.strerror}: {error.filename}): "
            "freeze it again with a new run"
        ) from error
    return _checked(files, folder, digest)


def _checked(files: Mapping[str, bytes], folder: Path, digest: str | None) -> FrozenDataSet:
    manifest_digest = digest_of(files[MANIFEST])
    if digest is not None and manifest_digest != digest:
        raise _changed(folder, MANIFEST)
    try:
        manifest = json.loads(files[MANIFEST])
        for name, of_file in manifest["files"].items():
            if digest_of(files[name]) != of_file["digest"]:
                raise _changed(folder, name)
        return FrozenDataSet(
            manifest_digest, manifest["tenant"], json.loads(files[CARD]), dict(files)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _changed(folder, MANIFEST) from error


def rows(frozen: FrozenDataSet, name: str) -> list[DataSetRow]:
    """The rows of `train.jsonl` or `gate.jsonl`."""
    return read_lines(frozen.files[name])


def _changed(folder: Path, name: str) -> GyreError:
    return FailedPrecondition(
        f"{name} of the data set in {folder} was changed after it was frozen: its digest does not "
        "match; start a new run, which freezes it again"
    )
