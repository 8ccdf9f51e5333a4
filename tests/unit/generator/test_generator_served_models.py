"""A version's model is at the server before a request needs it, and comes back when it was lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import FailedPrecondition, GyreError, Retryable
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.store import Store
from gyre_generator.ask import Ask
from gyre_generator.backends import (
    MODEL_MISSING,
    AnswerDraft,
    Artifacts,
    Choose,
    Examples,
    Piece,
)
from gyre_generator.passages import RetrievedPassage
from gyre_generator.served_models import ModelServer, ServedModelBackend, ServedModels
from gyre_generator.version_trial import GeneratorTrial

from tests.builders import MORNING, a_release
from tests.eventually import eventually
from tests.language_models import a_gguf, an_adapter
from tests.unit.generator.conftest import a_passage, no_judge

_, SMALL_MODEL = shipped_artifacts(MORNING)[Roles.GENERATOR]


class FakeServer:
    """Has what it was given, until it is told to forget."""

    def __init__(self) -> None:
        self.models: dict[str, tuple[Path, ...]] = {}
        self.loads: list[str] = []
        self.completions: list[str] = []
        self.refusal: GyreError | None = None
        self.closed = False

    async def load(self, name: str, folder: Path) -> None:
        await self._take(name, folder)

    async def load_adapter(self, name: str, folder: Path, base: Path) -> None:
        await self._take(name, folder, base)

    async def _take(self, name: str, *folders: Path) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.loads.append(name)
        self.models[name] = folders

    async def unload(self, name: str, *, adapter: bool) -> None:
        assert adapter is (len(self.models[name]) == 2)
        del self.models[name]

    async def complete_something(self, name: str) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.completions.append(name)

    async def close(self) -> None:
        self.closed = True


class Writer:
    """A back end that writes what its model is called, if the server has it."""

    ignores = ()

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def fit(
        self,
        ask: Ask,
        artifacts: Artifacts,
        choose: Choose,
        budget: int,
        examples: Examples = (),
    ) -> tuple[RetrievedPassage, ...]:
        assert artifacts[Roles.GENERATOR].settings["model"] in self._server.models
        return choose(budget // 2)

    async def write(
        self,
        ask: Ask,
        passages: tuple[RetrievedPassage, ...],
        artifacts: Artifacts,
        examples: Examples = (),
    ) -> AsyncGenerator[Piece, None]:
        name = artifacts[Roles.GENERATOR].settings["model"]
        if name not in self._server.models:
            raise FailedPrecondition("not there", code=MODEL_MISSING)
        yield name
        yield AnswerDraft(name)


class Room:
    def __init__(
        self,
        folder: Path,
        *,
        outlived_seconds: float = 0.05,
        connect: Callable[[], ModelServer] | None = None,
        connect_hosted: Callable[[], FakeServer] | None = None,
    ) -> None:
        self.store = Store(f"file://{folder}/store")
        self.folder = folder
        self.server = FakeServer()
        self.releases = ReleaseView()
        self.models = ServedModels(
            ModelFolders(self.store, folder / "cache"),
            self.releases,
            connect or (lambda: self.server),
            connect_hosted=connect_hosted,
            outlived_seconds=outlived_seconds,
        )
        self.generation = 0

    async def artifact(self, version: str, *, base: str = "") -> Artifact:
        make: Callable[..., Path] = an_adapter if base else a_gguf
        source = make(self.folder / f"source-{version}")
        (source / "name.txt").write_text(version)
        stored = await keep_model(self.store, source)
        settings = {"backend": "openai", "model": version, **({"base": base} if base else {})}
        return Artifact(
            version=version,
            digest=stored.digest,
            uri=stored.uri,
            settings=settings,
            registered_at=MORNING,
        )

    def release(self, *artifacts: Artifact, live: str, history: tuple[str, ...] = ()) -> None:
        self.generation += 1
        changed = a_release(Roles.GENERATOR, live=live, artifacts=artifacts)
        self.releases.apply(
            changed.model_copy(update={"generation": self.generation, "history": history})
        )

    async def write(self, artifact: Artifact) -> list[Piece]:
        backend = ServedModelBackend(self.models, lambda: Writer(self.server))
        pieces = backend.write(Ask("Why?"), (a_passage(),), {Roles.GENERATOR: artifact})
        return [piece async for piece in pieces]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    async with room.models:
        yield room


@asynccontextmanager
async def following(room: Room) -> AsyncIterator[None]:
    task = asyncio.create_task(room.models.follow_releases())
    async with AsyncExitStack() as stack:
        stack.callback(task.cancel)
        yield


async def test_what_the_releases_name_is_loaded_and_what_they_name_no_more_is_unloaded(
    room: Room,
) -> None:
    one, two, three = [await room.artifact(version) for version in ("one", "two", "three")]
    room.release(one, two, three, live="one")
    async with following(room):
        await eventually(lambda: set(room.server.models) == {"one"})
        room.release(one, two, three, live="two", history=("one",))
        await eventually(lambda: set(room.server.models) == {"one", "two"})
        room.release(one, two, three, live="three", history=("two", "one"))
        await eventually(lambda: set(room.server.models) == {"two", "three"})
    assert room.server.completions == ["one", "two", "three"]


async def test_a_request_that_was_given_what_is_taken_back_meanwhile_loads_nothing_again(
    tmp_path: Path,
) -> None:
    room = Room(tmp_path, outlived_seconds=60)
    one, two = [await room.artifact(version) for version in ("one", "two")]
    room.release(one, two, live="one")
    async with room.models, following(room):
        await eventually(lambda: set(room.server.models) == {"one"})
        room.release(one, two, live="two")
        await eventually(lambda: room.server.completions == ["one", "two"])
        for _ in range(10):  # what is held no more would be unloaded by now
            await asyncio.to_thread(list, room.server.models)
        assert await room.write(one) == ["one", AnswerDraft("one")]
    assert room.server.loads == ["one", "two"]


async def test_an_adapter_is_loaded_with_the_folder_of_its_base(room: Room) -> None:
    base, tuned = await room.artifact("base"), await room.artifact("tuned", base="base")
    room.release(base, tuned, live="tuned")
    assert await room.write(tuned) == ["tuned", AnswerDraft("tuned")]
    folder, base_folder = room.server.models["tuned"]
    assert (folder / "adapter_model.safetensors").is_file()
    assert (base_folder / "model.gguf").is_file()


async def test_a_server_that_lost_a_model_gets_it_again_once(room: Room) -> None:
    one = await room.artifact("one")
    room.release(one, live="one")
    await room.write(one)
    room.server.models.clear()
    assert await room.write(one) == ["one", AnswerDraft("one")]
    assert room.server.loads == ["one", "one"]


async def test_a_version_of_another_tenant_is_tried_for_nobody_else(room: Room) -> None:
    one = await room.artifact("one")
    room.releases.apply(a_release(Roles.GENERATOR, tenant="acme", live="one", artifacts=(one,)))
    trial = GeneratorTrial(["openai"], room.releases, room.models, no_judge)
    with pytest.raises(FailedPrecondition, match="generator has no version one here"):
        await trial.try_version("one")
    with use_context(RequestContext(tenant="acme")):
        await trial.try_version("one")


async def test_versions_of_the_same_files_share_what_the_server_has(room: Room) -> None:
    one = await room.artifact("one")
    settings = {**one.settings, "model": "strict", "unsupported": "hold"}
    strict = one.model_copy(update={"version": "strict", "settings": settings})
    room.release(one, strict, live="one")
    await room.write(one)
    await GeneratorTrial(["openai"], room.releases, room.models, no_judge).try_version("strict")
    assert await room.write(strict) == ["one", AnswerDraft("one")]
    room.server.models.clear()
    assert await room.write(strict) == ["one", AnswerDraft("one")]
    assert room.server.loads == ["one", "one"]


async def test_a_version_without_files_is_the_servers_own_affair(room: Room) -> None:
    hosted = Artifact(
        version="hosted",
        digest="sha256:" + "1" * 64,
        settings={"backend": "openai", "model": "gpt"},
        registered_at=MORNING,
    )
    room.release(hosted, live="hosted")
    with pytest.raises(FailedPrecondition, match="not there"):
        await room.write(hosted)
    assert room.server.loads == []
    await GeneratorTrial(["openai"], room.releases, room.models, no_judge).try_version("hosted")
    assert room.server.completions == ["gpt"]


async def test_a_version_without_files_goes_to_the_hosted_server_and_weights_to_the_other(
    tmp_path: Path,
) -> None:
    hosted_server = FakeServer()
    hosted_server.models["gpt"] = ()
    room = Room(tmp_path, connect_hosted=lambda: hosted_server)
    one = await room.artifact("one")
    hosted = Artifact(
        version="hosted",
        digest="sha256:" + "1" * 64,
        settings={"backend": "openai", "model": "gpt"},
        registered_at=MORNING,
    )
    async with room.models:
        room.release(one, hosted, live="one")
        backend = ServedModelBackend(
            room.models, lambda: Writer(room.server), lambda: Writer(hosted_server)
        )
        for artifact, text in ((hosted, "gpt"), (one, "one"), (hosted, "gpt")):
            artifacts: Artifacts = {Roles.GENERATOR: artifact}
            pieces = backend.write(Ask("Why?"), (a_passage(),), artifacts)
            assert [piece async for piece in pieces] == [text, AnswerDraft(text)]
        trial = GeneratorTrial(["openai"], room.releases, room.models, no_judge)
        await trial.try_version("hosted")
        await trial.try_version("one")
        assert hosted_server.completions == ["gpt"]
        assert (room.server.loads, room.server.completions[-1]) == (["one"], "one")
    assert room.server.closed
    assert hosted_server.closed


async def test_a_version_is_tried_by_loading_it_and_a_few_words(room: Room) -> None:
    one, two = await room.artifact("one"), await room.artifact("two")
    room.release(one, two, live="one")
    trial = GeneratorTrial(["openai"], room.releases, room.models, no_judge)
    await trial.try_version("two")
    assert room.server.completions[-1] == "two"
    with pytest.raises(FailedPrecondition, match="no version three"):
        await trial.try_version("three")


async def test_a_refusal_tells_the_servers_reason_and_is_asked_again_soon(room: Room) -> None:
    one, two = await room.artifact("one"), await room.artifact("two")
    room.release(one, two, live="one")
    trial = GeneratorTrial(["openai"], room.releases, room.models, no_judge)
    room.server.refusal = Retryable("run `make setup-llm`")
    with pytest.raises(FailedPrecondition, match="two cannot be served here: run `make setup-llm`"):
        await trial.try_version("two")
    room.server.refusal = None

    async def is_served() -> bool:
        try:
            await trial.try_version("two")
        except FailedPrecondition:
            return False
        return True

    await eventually(is_served)


async def test_weights_that_are_not_installed_name_the_target_that_brings_them(
    room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("gyre_common.model_folders.SHIPPED_MODELS", tmp_path)
    room.release(SMALL_MODEL, live=SMALL_MODEL.version)
    with pytest.raises(FailedPrecondition, match="is missing: run `make setup-llm`"):
        await room.write(SMALL_MODEL)


async def test_a_process_without_the_back_end_refuses_the_version(room: Room) -> None:
    one = await room.artifact("one")
    room.release(one, live="one")
    with pytest.raises(FailedPrecondition, match="set GYRE_LLM_URL"):
        await GeneratorTrial(["extractive"], room.releases, None, no_judge).try_version("one")


async def test_ending_leaves_the_models_to_other_replicas(tmp_path: Path) -> None:
    room = Room(tmp_path)
    async with room.models:
        one = await room.artifact("one")
        room.release(one, live="one")
        await room.write(one)
    assert set(room.server.models) == {"one"}
    assert room.server.closed


async def test_passages_are_chosen_by_the_model_that_reads_them(room: Room) -> None:
    artifact = await room.artifact("one")
    room.release(artifact, live="one")
    passages = tuple(a_passage(f"Passage {rank}.", rank=rank) for rank in range(1, 9))
    backend = ServedModelBackend(room.models, lambda: Writer(room.server))
    async with following(room):
        await eventually(lambda: "one" in room.server.models)
        chosen = await backend.fit(
            Ask("Why?"), {Roles.GENERATOR: artifact}, lambda tokens: passages[:tokens], 8
        )

    assert chosen == passages[:4]
