"""Training starts from the weights that the live version names, or says what is missing."""

from pathlib import Path

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.store import Store
from gyre_trainer.recipes.query_encoder.prepare import base_folder

from tests.builders import an_artifact


@pytest.fixture
def models(tmp_path: Path) -> ModelFolders:
    return ModelFolders(Store(f"file://{tmp_path}/store"), tmp_path / "cache")


def from_package(name: str) -> Artifact:
    return an_artifact("shipped", settings={"package": name}, uri=None)


async def test_a_trained_version_brings_its_weights_from_the_store(
    tmp_path: Path, models: ModelFolders
) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model.safetensors").write_bytes(b"weights")
    stored_model = await keep_model(Store(f"file://{tmp_path}/store"), tmp_path / "made")
    folder = await base_folder(
        models, an_artifact("v", digest=stored_model.digest, uri=stored_model.uri)
    )
    assert (folder / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("package", ["no_such_package", "no.such.package"])
async def test_a_package_that_is_not_installed_is_named(models: ModelFolders, package: str) -> None:
    with pytest.raises(FailedPrecondition, match=f"needs the package {package}: run `make"):
        await base_folder(models, from_package(package))


async def test_a_package_that_holds_other_weights_is_refused(
    tmp_path: Path, models: ModelFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_weights" / "model").mkdir(parents=True)
    (tmp_path / "some_weights" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FailedPrecondition, match="some_weights holds no weights"):
        await base_folder(models, from_package("some_weights"))
    (tmp_path / "some_weights" / "model" / "model.safetensors").write_bytes(b"others")
    with pytest.raises(FailedPrecondition, match="some_weights holds sha256:"):
        await base_folder(models, from_package("some_weights"))
