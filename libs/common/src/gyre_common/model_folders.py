"""Models as folders: kept in the store file by file, fetched into a cache, checked when opened."""

import asyncio
import hashlib
import json
import logging
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.event import Digest
from gyre_common.events.releases import Artifact
from gyre_common.folder_cache import FolderCache, write_whole
from gyre_common.releases.builtin import ENCODER_DIGEST, ENCODER_FILES, ENCODER_VERSION
from gyre_common.store import ContentRef, DamagedContentError, Store, digest_of

log = logging.getLogger(__name__)

SHIPPED_MODELS = Path(sys.prefix) / "share" / "gyre" / "models"
"""Where `make setup`, and the images, put the models that come with Gyre."""

_MANIFEST = ".manifest.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def _a_name_inside(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("is not the name of a file inside the folder")
    return name


class _File(BaseModel):
    model_config = ConfigDict(frozen=True)

    digest: Digest
    size_bytes: int = Field(ge=0)


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    files: dict[Annotated[str, AfterValidator(_a_name_inside)], _File] = Field(min_length=1)


async def keep_model(store: Store, folder: Path) -> ContentRef:
    """Put every file of the folder, then a manifest that lists them; returns the manifest's. Hidden
    files are no part of a model.

    Its digest and uri are those of an artifact. The same files give the same digest.

    Raises:
        FailedPrecondition: the folder is not there, empty, or holds a name that is not plain.
        Retryable: the store is full, read-only or out of reach.
    """
    files = {}
    for path in await asyncio.to_thread(_files_below, folder):
        content = await store.put(await asyncio.to_thread(path.read_bytes))
        name = path.relative_to(folder).as_posix()
        files[name] = {"digest": content.digest, "size_bytes": content.size_bytes}
    try:
        _Manifest.model_validate({"files": files})
    except ValidationError as error:
        raise FailedPrecondition(
            f"{folder} cannot be kept: it needs files with names of letters, digits, ._- and /"
        ) from error
    manifest = json.dumps({"files": files}, sort_keys=True, separators=(",", ":"))
    return await store.put(manifest.encode())


def _files_below(folder: Path) -> list[Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if "/." not in f"/{path.relative_to(folder).as_posix()}")


class ModelFolders:
    """Opens the folder of a version: from the store through a cache, or what ships with Gyre.

    Processes may share a cache: a folder that one of them opened is in use, and stays, until its
    `keep_only` lets go of it or it ends.
    """

    def __init__(self, store: Store, cache: Path) -> None:
        self._store = store
        self._cache = FolderCache(cache)

    async def folder(self, artifact: Artifact, only: Collection[str] | None = None) -> Path:
        """Where the version's files lie, each of them checked against its digest.

        `only` names the files that are of use, as far as the version has them; all of them, when it
        is not given. A file that is damaged in the cache is fetched again.

        Raises:
            FailedPrecondition: what the version names is not there or not what its digest says.
            Retryable: the store is out of reach, or the cache is full or read-only.
        """
        try:
            if artifact.uri is None:
                return await asyncio.to_thread(shipped_model, artifact)
            folder = await asyncio.to_thread(self._cache.open, _stem(artifact.digest))
            files = await self._files(artifact, artifact.uri, folder)
            for name, file in files.items():
                if only is None or name in only:
                    await self._bring(f"{name} of {artifact.version}", folder / name, file)
        except OSError as error:
            raise Retryable(f"cannot use {self._cache.path}: {error.strerror or error}") from error
        return folder

    async def keep_only(self, digests: Collection[str]) -> None:
        """Remove every other folder, unless another process has it in use.

        Raises:
            Retryable: the cache is read-only or out of reach.
        """
        try:
            await asyncio.to_thread(self._cache.keep_only, {_stem(each) for each in digests})
        except OSError as error:
            raise Retryable(f"cannot use {self._cache.path}: {error.strerror or error}") from error

    async def _files(self, artifact: Artifact, uri: str, folder: Path) -> Mapping[str, _File]:
        """What the manifest lists; a whole cache serves without the store."""
        path = folder / _MANIFEST
        content = await asyncio.to_thread(_content, path, artifact.digest)
        if content is None:
            content = await self._get(f"the manifest of {artifact.version}", uri, artifact.digest)
            await asyncio.to_thread(write_whole, path, content)
        try:
            return _Manifest.model_validate_json(content).files
        except ValidationError as error:
            raise FailedPrecondition(
                f"the manifest of {artifact.version} does not list a model's files"
            ) from error

    async def _bring(self, what: str, path: Path, file: _File) -> None:
        digest = await asyncio.to_thread(digest_of_file, path)
        if digest == file.digest:
            return
        if digest is not None:
            log.warning("cached model file is damaged, fetching it again", extra={"file": what})
        content = await self._get(what, self._store.uri(file.digest), file.digest)
        await asyncio.to_thread(write_whole, path, content)

    async def _get(self, what: str, uri: str, digest: str) -> bytes:
        try:
            return await self._store.get(uri, digest)
        except (NotFound, InvalidInput, DamagedContentError) as error:
            raise FailedPrecondition(f"{what} cannot be had: {error}") from error


def _stem(digest: str) -> str:
    return digest.partition(":")[2]


def shipped_model(artifact: Artifact) -> Path:
    """The folder of the version that ships with Gyre, its model and tokenizer checked.

    Raises:
        FailedPrecondition: it is another version, is not installed here, or holds other files.
    """
    if artifact.digest != ENCODER_DIGEST:
        raise FailedPrecondition(
            f"{artifact.version} names no stored files and is not what ships with Gyre: "
            "register it with its files"
        )
    for name, digest in ENCODER_FILES.items():
        if digest_of_file(shipped_file(name)) != digest:
            raise FailedPrecondition(
                f"{shipped_file(name)} is not that of {artifact.version}: run `make clean setup`"
            )
    return SHIPPED_MODELS / ENCODER_VERSION


def shipped_file(name: str) -> Path:
    """A file of the encoder that ships with Gyre; raises FailedPrecondition where it is missing."""
    path = SHIPPED_MODELS / ENCODER_VERSION / name
    if not path.is_file():
        raise FailedPrecondition(f"{path} is missing: run `make setup`")
    return path


def digest_of_file(path: Path) -> str | None:
    """Of a file's content; None where there is no such file."""
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except FileNotFoundError:
        return None


def _content(path: Path, digest: str) -> bytes | None:
    """What lies there, if it is what the digest says."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return content if digest_of(content) == digest else None
