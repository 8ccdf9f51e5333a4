"""Where the weights lie that a training begins with."""

from importlib.util import find_spec
from pathlib import Path

from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.model_folders import ModelFolders, digest_of_file

_PACKAGE = "package"
_WEIGHTS = "model.safetensors"


async def base_folder(models: ModelFolders, artifact: Artifact) -> Path:
    """The folder of a version's trainable weights: those of the shipped one lie in a package.

    Raises:
        FailedPrecondition: what the version names is not there, or not what its digest says.
        Retryable: the store is out of reach.
    """
    package = artifact.settings.get(_PACKAGE)
    if artifact.uri is not None or package is None:
        return await models.folder(artifact)
    return package_folder(package, artifact)


def package_folder(package: str, artifact: Artifact) -> Path:
    """The folder `model` of a Python package; raises FailedPrecondition as `base_folder` does."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FailedPrecondition(
            f"training from {artifact.version} needs the package {package}: run `make setup-train`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    digest = digest_of_file(folder / _WEIGHTS)
    if digest != artifact.digest:
        raise FailedPrecondition(
            f"{artifact.version} should be {artifact.digest} but {package} holds "
            f"{digest or 'no weights'}: install the package's version that was registered"
        )
    return folder
