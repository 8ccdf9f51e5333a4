"""Versions of the generator and of its prompt are tried before they go live."""

from collections.abc import Collection
from typing import Protocol

from gyre_common.best_of import best_of
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_generator.backends.best_of import JudgeCall, reward
from gyre_generator.examples import ExampleSets
from gyre_generator.prompts import PromptError, Prompts
from gyre_generator.prompts.rendering import template_of
from gyre_generator.served_models import ServedModels
from gyre_generator.steps.route import missing_backend


class VersionTrial(Protocol):
    """Tries registered versions of one role."""

    async def try_version(self, version: str) -> None:
        """Return once it has done its work. Raises FailedPrecondition: it is not registered here
        (yet) for the caller's tenant or for all, or cannot be used, with the reason.
        """


class PromptTrial:
    """Implements `VersionTrial` for the answer prompt: template and examples are loaded."""

    def __init__(self, prompts: Prompts, releases: ReleaseView, examples: ExampleSets) -> None:
        self._prompts = prompts
        self._releases = releases
        self._examples = examples

    async def try_version(self, version: str) -> None:
        """See `VersionTrial`."""
        artifact = self._releases.named(request_context().tenant, Roles.ANSWER_PROMPT, version)
        try:
            self._prompts.load(*template_of(artifact))
        except PromptError as error:
            raise FailedPrecondition(str(error)) from error
        if artifact.uri is not None:
            async with self._examples.use(artifact):
                pass


class GeneratorTrial:
    """Implements `VersionTrial`: lets versions write something, and the judge score something where
    it is to choose among answers. `backends` are those that this process has.
    """

    def __init__(
        self,
        backends: Collection[str],
        releases: ReleaseView,
        models: ServedModels | None,
        judge: JudgeCall,
    ) -> None:
        self._backends = backends
        self._releases = releases
        self._models = models
        self._judge = judge

    async def try_version(self, version: str) -> None:
        """See `VersionTrial`; one without a model is fine. Its model may still be being loaded.
        Raises Unavailable as well: the model server, or the judge, cannot be reached.
        """
        artifact = self._releases.named(request_context().tenant, Roles.GENERATOR, version)
        backend = artifact.settings.get("backend", "")
        if backend not in self._backends:
            raise missing_backend(backend, version)
        if self._models is not None:
            await self._models.try_out(artifact)
        if wanted := best_of(artifact):
            await reward(self._judge, wanted.reward, "Is it there?", (), "It is.")
