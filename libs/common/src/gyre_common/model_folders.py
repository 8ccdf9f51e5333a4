"""Models as folders: kept in the store file by file, fetched into a cache, checked when opened."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.event import Digest
from gyre_common.events.releases import Artifact
from gyre_common.folder_cache import FolderCache, write_whole
from gyre_common.store import ContentRef, DamagedContentError, Store, digest_of

log = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"
_MANIFEST = ".manifest.json"
_PACKAGE = "package"
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
        kept = await store.put(await asyncio.to_thread(path.read_bytes))
        name = path.relative_to(folder).as_posix()
        files[name] = {"digest": kept.digest, "size_bytes": kept.size_bytes}
    try:
        _Manifest.model_validate({"files": files})
    except ValidationError as error:
        raise FailedPrecondition(
            f"{folder} cannot be kept: it needs files with names of letters, digits, ._- and /"
        ) from error
    manifest = json.dumps({"files": files}, sort_keys=True, separators=(",", ":"))
    return await store.put(manifest.encode())


def _files_below(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if "/." not in f"/{path.relative_to(folder).as_posix()}")


class ModelFolders:
    """Opens the folder of a version: from the store through a cache, or from a Python package.

    Processes may share a cache: a folder that one of them opened is in use, and stays, until its
    `keep_only` lets go of it or it ends.
    """

    def __init__(self, store: Store, cache: Path) -> None:
        self._store = store
        self._cache = FolderCache(cache)

    async def folder(self, artifact: Artifact, only: Collection[str] | None = None) -> Path:
        """Where the version's files lie, each of them checked against its digest.

        `only` names the files that are needed; all of them, when it is not given. A file that is
        damaged in the cache is fetched again.

        Raises:
            FailedPrecondition: what the version names is not there or not what its digest says.
            Retryable: the store is out of reach, or the cache is full or read-only.
        """
        try:
            if artifact.uri is None:
                return await asyncio.to_thread(packaged, artifact, only)
            folder = await asyncio.to_thread(self._cache.open, _stem(artifact.digest))
            files = await self._files(artifact, artifact.uri, folder)
            for name in files if only is None else only:
                if name not in files:
                    raise FailedPrecondition(f"{artifact.version} has no file {name}")
                await self._bring(f"{name} of {artifact.version}", folder / name, files[name])
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
        found = await asyncio.to_thread(_digest_of_file, path)
        if found == file.digest:
            return
        if found is not None:
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


def packaged(artifact: Artifact, only: Collection[str] | None = None) -> Path:
    """The folder `model` of the Python package that the artifact's settings name, checked.

    Raises:
        FailedPrecondition: there is no such package here, or it holds other weights.
    """
    package = artifact.settings.get(_PACKAGE)
    if package is None:
        raise FailedPrecondition(
            f"encoder {artifact.version} names neither stored files nor a package of weights: "
            "register it with one"
        )
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FailedPrecondition(
            f"encoder {artifact.version} needs the package {package}: install it here"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    for name in (WEIGHTS, *(only or ())):
        if not (folder / name).is_file():
            raise FailedPrecondition(f"{package} has no file {name} for {artifact.version}")
    found = _digest_of_file(folder / WEIGHTS)
    if found != artifact.digest:
        raise FailedPrecondition(
            f"encoder {artifact.version} should be {artifact.digest} but {package} holds {found}: "
            "install the package's version that was registered"
        )
    return folder


def _digest_of_file(path: Path) -> str | None:
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
