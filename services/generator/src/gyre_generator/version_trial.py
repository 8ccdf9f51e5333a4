"""A generator version is tried before it goes live."""

from collections.abc import Collection

from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_generator.served_models import ServedModels
from gyre_generator.steps.route import missing_backend


class VersionTrial:
    """Lets registered versions write something. `backends` are those that this process has."""

    def __init__(
        self, backends: Collection[str], releases: ReleaseView, models: ServedModels | None
    ) -> None:
        self._backends = backends
        self._releases = releases
        self._models = models

    async def try_version(self, version: str) -> None:
        """Return once the version has written something; one without a model is fine.

        Raises FailedPrecondition: it is not registered here (yet), this process does not have its
        back end, or its model is refused, or still being loaded. Unavailable: the model server
        cannot be reached.
        """
        artifact = self._releases.artifact(Roles.GENERATOR, version)
        backend = artifact.settings.get("backend", "")
        if backend not in self._backends:
            raise missing_backend(backend, version)
        if self._models is not None:
            await self._models.try_out(artifact)
