"""Generator versions with weights of their own: at the model server before a request needs them."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, NoReturn, Protocol, Self, TypeVar

from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.events.releases import Artifact, ReleaseChanged, Roles
from gyre_common.held import Held, Loadable
from gyre_common.model_folders import ModelFolders
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import LANGUAGE_MODEL_DIGEST

from gyre_generator.ask import Ask
from gyre_generator.backends import (
    MODEL_MISSING,
    Artifacts,
    Choose,
    Examples,
    Piece,
    WindowedBackend,
)
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompt
from gyre_generator.steps.route import OPENAI

_Opened = TypeVar("_Opened")

_LOAD_WITHIN = 30.0
_UNLOAD_SECONDS = 20.0
_OUTLIVED_SECONDS = 5.0
"""A request that was given a version just before it was taken back gets to it within that time;
without, it would load the model again.
"""


class ModelServer(Protocol):
    """Has models by name. Raises FailedPrecondition for what it will never take, else Retryable."""

    async def load(self, name: str, folder: Path) -> None:
        """Have these weights; the same again changes nothing."""

    async def load_adapter(self, name: str, folder: Path, base: Path) -> None:
        """Have this adapter on the weights in `base`; the same again changes nothing."""

    async def unload(self, name: str, *, adapter: bool) -> None:
        """What is not there is fine."""

    async def complete_something(self, name: str) -> None:
        """Return once the model has written a few words; without a name it is the server's model
        where a version names none.
        """

    async def close(self) -> None:
        """No call follows."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that the server has, until `close`."""

    name: str
    close: Callable[[], None]


class ServedModels:
    """Implements `ModelSource` for `Held`: live ones, canaries, shadows, those before, and one that
    somebody named. A version without files is the affair of the hosted server, where there is one,
    else of this one. `connect`, and `connect_hosted`, are called when a model is needed for the
    first time: the client takes a second and 50 MB.
    """

    def __init__(
        self,
        folders: ModelFolders,
        releases: ReleaseView,
        connect: Callable[[], ModelServer],
        *,
        connect_hosted: Callable[[], ModelServer] | None = None,
        outlived_seconds: float = _OUTLIVED_SECONDS,
    ) -> None:
        self._folders = folders
        self._releases = releases
        self._server = _OpenedOnce(connect)
        self._hosted = _OpenedOnce(connect_hosted) if connect_hosted else self._server
        self._outlived_seconds = outlived_seconds
        self._ending = False
        # The server bounds its own memory, and says when it is full.
        self._held: Held[LoadedModel] = Held(self, self._try_out, most_bytes=sys.maxsize)

    async def __aenter__(self) -> Self:
        await self._held.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        self._ending = True  # other replicas may use what is loaded: the server keeps it
        await self._held.__aexit__(*exc)
        for server in {self._server, self._hosted}:
            if server.opened is not None:
                await server.opened.close()

    async def follow_releases(self) -> NoReturn:
        """Have the server hold what the releases name, now and after each change, and what they
        named before it for a moment longer.
        """
        changed = asyncio.Event()
        self._releases.on_change(lambda _: changed.set())
        before: list[Artifact] = []
        while True:
            now = list(_released_artifacts(self._releases.states))
            outlived = [each for each in before if each not in now]
            await self._held.hold([*now, *outlived])
            before = now
            with suppress(TimeoutError):
                async with asyncio.timeout(self._outlived_seconds if outlived else None):
                    await changed.wait()
            changed.clear()

    def use(self, artifact: Artifact | None) -> AbstractAsyncContextManager[LoadedModel | None]:
        """The version is at the server while the block runs, as `Held.use` says; None for one that
        is the server's own affair. Versions of the same files share what was loaded first.
        """
        if artifact is None or not _has_files(artifact):
            return nullcontext()
        return self._held.use(artifact, within=_LOAD_WITHIN)

    async def try_out(self, artifact: Artifact) -> None:
        """Return once the version has written a few words; one that needs no server is fine.

        Raises FailedPrecondition: it is still being loaded, or refused, with the reason.
        Retryable: the server cannot be reached.
        """
        if artifact.settings.get("backend") != OPENAI:
            return
        if _is_hosted(artifact):
            await self._hosted().complete_something(artifact.settings.get("model", ""))
            return
        async with self.use(artifact) as model:
            assert model is not None, "what is not hosted has files"
            await self._server().complete_something(model.name)

    async def load_again(self, artifact: Artifact) -> None:
        """Bring a version back that the server has lost. Raises as `ModelServer.load` does."""
        await (await self.open(artifact)).load()

    async def open(self, artifact: Artifact) -> Loadable[LoadedModel]:
        """See `ModelSource`."""
        name, base = _name(artifact), artifact.settings.get("base", "")
        folder = await self._folder(artifact)
        if base:
            base_folder = await self._folder(self._releases.artifact(Roles.GENERATOR, base))
            load = partial(self._server().load_adapter, name, folder, base_folder)
        else:
            load = partial(self._server().load, name, folder)
        loop = asyncio.get_running_loop()

        def close() -> None:
            if not self._ending:
                unload = self._server().unload(name, adapter=bool(base))
                asyncio.run_coroutine_threadsafe(unload, loop).result(_UNLOAD_SECONDS)

        async def loaded() -> LoadedModel:
            await load()
            return LoadedModel(name, close)

        return Loadable(_size_of(folder), loaded)

    async def keep_only(self, digests: Collection[str]) -> None:
        """See `ModelSource`; what an adapter stands on is kept with it."""
        artifacts = [a for state in _own(self._releases.states) for a in state.artifacts]
        bases = {a.settings.get("base") for a in artifacts if a.digest in digests}
        needed = {a.digest for a in artifacts if a.version in bases}
        await self._folders.keep_only({*digests, *needed})

    async def _folder(self, artifact: Artifact) -> Path:
        try:
            return await self._folders.folder(artifact)
        except FailedPrecondition as error:
            if artifact.uri is None:  # an operator may install it at any moment
                raise Retryable(str(error)) from error
            raise

    async def _try_out(self, artifact: Artifact, model: LoadedModel) -> None:
        await self._server().complete_something(model.name)


class ServedModelBackend:
    """Implements `WindowedBackend` by another one, opened when it is first used, whose model is at
    the server meanwhile. A server that has lost it, as one does that was started again, gets it
    again, once. A version without files is written by the hosted one, where there is one.
    """

    ignores = ()

    def __init__(
        self,
        models: ServedModels,
        open_backend: Callable[[], WindowedBackend],
        open_hosted: Callable[[], WindowedBackend] | None = None,
    ) -> None:
        self._models = models
        self._backend = _OpenedOnce(open_backend)
        self._hosted = _OpenedOnce(open_hosted) if open_hosted else self._backend

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        """See `Backend`."""
        async with self._models.use(artifacts.get(Roles.GENERATOR)) as model:
            served = _served(artifacts, model)
            return await self._writer(artifacts).fit(ask, served, choose, budget, examples)

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        backend = self._writer(artifacts)
        prompt: Prompt | None = None
        async with self._models.use(artifacts.get(Roles.GENERATOR)) as model:
            served = _served(artifacts, model)
            try:
                async with aclosing(backend.write(ask, passages, served, examples)) as pieces:
                    async for piece in pieces:
                        prompt = piece if isinstance(piece, Prompt) else prompt
                        yield piece
                return
            except FailedPrecondition as error:
                # It is the server's word that nothing was begun.
                if error.code != MODEL_MISSING or model is None:
                    raise
            await self._models.load_again(served[Roles.GENERATOR])
            async with aclosing(backend.write(ask, passages, served, examples)) as pieces:
                async for piece in pieces:
                    if piece != prompt:
                        yield piece

    def _writer(self, artifacts: Artifacts) -> WindowedBackend:
        generator = artifacts.get(Roles.GENERATOR)
        is_theirs = generator is not None and _is_hosted(generator)
        return self._hosted() if is_theirs else self._backend()


class _OpenedOnce(Generic[_Opened]):
    """What the first call opens; `opened` is None before it."""

    def __init__(self, open_it: Callable[[], _Opened]) -> None:
        self._open = open_it
        self.opened: _Opened | None = None

    def __call__(self) -> _Opened:
        if self.opened is None:
            self.opened = self._open()
        return self.opened


def _served(artifacts: Artifacts, model: LoadedModel | None) -> Artifacts:
    """With the name that the server knows the model by."""
    if model is None:
        return artifacts
    generator = artifacts[Roles.GENERATOR]
    settings = {**generator.settings, "model": model.name}
    return {**artifacts, Roles.GENERATOR: generator.model_copy(update={"settings": settings})}


def _released_artifacts(states: Iterable[ReleaseChanged]) -> Iterator[Artifact]:
    """Live ones first, then candidates, then those before, to which a rollback goes."""
    own = list(_own(states))
    versions = [(state, state.live) for state in own]
    versions += [(state, state.canary.version) for state in own if state.canary]
    versions += [(state, state.shadow) for state in own if state.shadow]
    versions += [(state, version) for state in own for version in state.history[:1]]
    for state, version in versions:
        if (artifact := state.artifact(version)) is not None and _has_files(artifact):
            yield artifact


def _own(states: Iterable[ReleaseChanged]) -> Iterator[ReleaseChanged]:
    return (state for state in states if state.role == Roles.GENERATOR)


def _is_hosted(artifact: Artifact) -> bool:
    """Whether a version's model is no file of ours: its server has it, whatever we do."""
    return artifact.settings.get("backend") == OPENAI and not _has_files(artifact)


def _has_files(artifact: Artifact) -> bool:
    is_served = artifact.settings.get("backend") == OPENAI
    return is_served and (artifact.uri is not None or artifact.digest == LANGUAGE_MODEL_DIGEST)


def _name(artifact: Artifact) -> str:
    return artifact.settings.get("model") or artifact.version


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
