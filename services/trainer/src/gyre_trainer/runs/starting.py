"""What has to hold before a run begins, and what is written down when it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import invalidate_caches
from importlib.metadata import version as installed_version
from importlib.util import find_spec

from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.event import new_id, now
from gyre_common.events.releases import Roles
from gyre_common.lines import check_line
from gyre_common.signature import Signature

from gyre_trainer.data_sets import profile_named
from gyre_trainer.recipes import RECIPES
from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.folder import RunSpec
from gyre_trainer.runs.registry import Registry
from gyre_trainer.segments import Window

DEFAULT_RECIPE = "query-encoder"
PACKAGES_MISSING = "training-packages-missing"
"""The code by which programs tell this refusal from others."""

_PACKAGES = ("torch", "deepspeed", "onnxscript")
ROLES = (Roles.QUERY_ENCODER, Roles.DOCUMENT_ENCODER, Roles.RETRIEVAL)
"""What a run writes down of what is live."""

_MOST_CHARACTERS = 256
_MOST_REASON = 512
_LONGEST_BASE = 119
"""What a version's 128 characters leave for the base's name before the run's mark."""


@dataclass(frozen=True)
class NewRun:
    """What somebody asks for. `tenant` is `*` for the default of all tenants."""

    tenant: str
    actor: str
    recipe: str = ""
    profile: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    hold: bool = False
    reason: str = ""


def recipe_named(name: str) -> Recipe:
    """Raises InvalidInput that names those there are."""
    recipe = RECIPES.get(name or DEFAULT_RECIPE)
    if recipe is None:
        raise InvalidInput("recipe", "is unknown", f"use one of {', '.join(sorted(RECIPES))}")
    return recipe


def packages_missing() -> list[str]:
    """Those that stand for all that `make setup-train` installs; nothing is imported."""
    invalidate_caches()  # they may have been installed a moment ago
    return [name for name in _PACKAGES if find_spec(name) is None]


def check_signature(by: Signature) -> None:
    """Raises InvalidInput when it does not say who starts or resumes a run, or says too much."""
    if not by.actor.strip():
        raise InvalidInput("actor", "is missing", "say who starts the run")
    check_line("actor", by.actor, most=_MOST_CHARACTERS)
    check_line("reason", by.reason, most=_MOST_REASON)


class Beginnings:
    """Checks what is asked for and writes down what is live.

    `collected` waits until every vote that Kafka holds is durable; `missing` names the packages
    that are not installed.
    """

    def __init__(
        self,
        registry: Registry,
        collected: Callable[[], Awaitable[Window]],
        missing: Callable[[], list[str]] = packages_missing,
    ) -> None:
        self._registry = registry
        self.collected = collected
        self._missing = missing

    def check(self, new: NewRun) -> Recipe:
        """The recipe that is asked for.

        Raises:
            InvalidInput: a field cannot work.
            FailedPrecondition: training is not installed here.
        """
        recipe = recipe_named(new.recipe)
        profile_named(new.profile)
        recipe.check(new.settings)
        check_signature(Signature(actor=new.actor, reason=new.reason))
        self.check_packages()
        return recipe

    def check_packages(self) -> None:
        """Raises FailedPrecondition when training is not installed here."""
        missing = self._missing()
        if missing:
            raise FailedPrecondition(
                f"training needs {', '.join(missing)} where the trainer runs: install them with "
                "`make setup-train`",
                code=PACKAGES_MISSING,
            )

    async def spec(self, new: NewRun) -> RunSpec:
        """Raises Retryable when not every vote is durable yet."""
        recipe = self.check(new)
        run_id = new_id()
        states = {role: self._registry.state(new.tenant, role) for role in ROLES}
        live = {role.value: state.artifact(state.live) for role, state in states.items()}
        base = states[Roles.DOCUMENT_ENCODER].live
        return RunSpec.model_validate(
            {
                "run_id": run_id,
                "tenant": new.tenant,
                "recipe": recipe.name,
                "role": recipe.role.value,
                "profile": profile_named(new.profile).name,
                "settings": dict(new.settings),
                "hold": new.hold,
                "actor": new.actor,
                "reason": new.reason,
                "code": f"gyre-trainer {installed_version('gyre-trainer')}",
                "version": f"{base[:_LONGEST_BASE]}-{run_id.hex[-8:]}",
                "live": live,
                "window": dict(await self.collected()),
                "started_at": now(),
            }
        )
