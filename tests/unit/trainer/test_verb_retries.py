"""A store that is full, or an engine that is away, for a moment does not end a verb."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import Retryable, Unavailable
from gyre_common.events.releases import Roles
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.frozen import read_folder
from gyre_trainer.recipes.query_encoder import prepare
from gyre_trainer.recipes.query_encoder.compare import keep_card
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS
from gyre_trainer.settings import TrainerSettings

from tests.unit.trainer.run_fakes import a_report, a_spec
from tests.unit.trainer.training_facts import a_crowd


class AwayAtFirst:
    """The first call fails as given; the others do what it stands for."""

    def __init__(self, call: Callable[..., Awaitable[Any]], failure: Exception) -> None:
        self.calls = 0
        self._call = call
        self._failure = failure

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise self._failure
        return await self._call(*arguments, **named)


@pytest.fixture
def settings(tmp_path: Path) -> TrainerSettings:
    return TrainerSettings(store_url=f"file://{tmp_path}/store", home=tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    return folder


@pytest.fixture
def full(settings: TrainerSettings, monkeypatch: pytest.MonkeyPatch) -> AwayAtFirst:
    """A store that takes nothing at first."""
    store = Store(settings.store_url)
    away = AwayAtFirst(store.put, Retryable("cannot write: No space left on device"))
    monkeypatch.setattr(Store, "put", away)
    return away


async def collected(settings: TrainerSettings) -> Segments:
    facts, segments = a_crowd(150), Segments(Shelf(settings.store_url, FOLDER))
    await segments.append(FEEDBACK, 0, facts.feedback)
    await segments.append(INTERACTIONS, 0, facts.interactions)
    return segments


async def test_a_data_set_is_kept_when_there_is_room_again(
    folder: RunFolder, settings: TrainerSettings, full: AwayAtFirst
) -> None:
    segments = await collected(settings)
    spec = a_spec(tenant="acme", profile="demo", window=dict(await segments.durable()))
    frozen = await prepare.freeze_and_store(folder, spec, segments, settings)
    assert full.calls == 1 + len(frozen.files)
    assert read_folder(folder.data_set, frozen.digest) == frozen.files


async def test_a_model_card_is_kept_when_there_is_room_again(
    folder: RunFolder, settings: TrainerSettings, full: AwayAtFirst
) -> None:
    folder.candidate.mkdir()
    (folder.candidate / "README.md").write_text("# votes-1")
    assert (await keep_card(folder, a_report(), settings)).startswith(settings.store_url)
    assert full.calls == 2


async def test_an_elasticsearch_that_is_away_is_asked_again(
    folder: RunFolder, settings: TrainerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take_snapshot(*_: Any, **__: Any) -> frozenset[str]:
        return frozenset({"c1"})

    away = AwayAtFirst(take_snapshot, Unavailable("Elasticsearch cannot be reached"))
    monkeypatch.setattr(prepare, "snapshot", away)
    spec = a_spec()
    live = spec.live[Roles.DOCUMENT_ENCODER].model_copy(update={"index": "chunks-1"})
    spec = spec.model_copy(update={"live": {**spec.live, Roles.DOCUMENT_ENCODER.value: live}})
    corpus = await prepare.corpus_of(folder, spec, settings, (), {})
    assert corpus == (frozenset({"c1"}), {}, 0)
    assert away.calls == 2
