"""What has to hold before a run begins, and what is written down when it does."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import invalidate_caches
from importlib.metadata import version as installed_version
from importlib.util import find_spec

from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.event import EVERY_TENANT, new_id, now
from gyre_common.events.releases import Artifact, ReleaseChanged
from gyre_common.lines import check_line
from gyre_common.signature import Signature

from gyre_trainer.data_sets.profiles import profile_named
from gyre_trainer.recipes import RECIPES, recipe_named
from gyre_trainer.recipes.recipe import Recipe
from gyre_trainer.runs.folder import RunSpec
from gyre_trainer.runs.registry import Registry
from gyre_trainer.segments import Window

PACKAGES_MISSING = "training-packages-missing"
"""The code by which programs tell this refusal from others."""

VERB_MINUTES = "verb_minutes"
"""A setting of every recipe: how long one verb may take."""

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
    role: str = ""
    profile: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    hold: bool = False
    reason: str = ""


def packages_missing(recipe: Recipe) -> list[str]:
    """Of those that the recipe trains with; nothing is imported."""
    invalidate_caches()  # they may have been installed a moment ago
    return [name for name in recipe.packages if find_spec(name) is None]


def check_signature(by: Signature) -> None:
    """Raises InvalidInput when it does not say who starts or resumes a run, or says too much."""
    if not by.actor.strip():
        raise InvalidInput("actor", "is missing", "say who starts the run")
    check_line("actor", by.actor, most=_MOST_CHARACTERS)
    check_line("reason", by.reason, most=_MOST_REASON)


class RunStarter:
    """`current_window` waits until every vote that Kafka holds is durable; `missing` names the
    packages that are not installed.
    """

    def __init__(
        self,
        registry: Registry,
        current_window: Callable[[], Awaitable[Window]],
        missing: Callable[[Recipe], list[str]] = packages_missing,
        recipes: Mapping[str, Recipe] = RECIPES,
    ) -> None:
        self._registry = registry
        self._current_window = current_window
        self._missing = missing
        self._recipes = recipes

    def recipe(self, name: str, role: str = "") -> Recipe:
        """Raises InvalidInput that names those there are."""
        return recipe_named(name, self._recipes, role=role)

    def check(self, new: NewRun) -> Recipe:
        """Raises InvalidInput: a field cannot work; FailedPrecondition: packages are missing."""
        recipe = self.recipe(new.recipe, new.role)
        profile_named(new.profile)
        recipe.check(_recipe_settings(new))
        _verb_minutes(new)
        check_signature(Signature(actor=new.actor, reason=new.reason))
        self.check_packages(recipe)
        return recipe

    def check_packages(self, recipe: Recipe) -> None:
        """Raises FailedPrecondition when what the recipe trains with is not installed here."""
        missing = self._missing(recipe)
        if missing:
            raise FailedPrecondition(
                f"training needs {', '.join(missing)} where the trainer runs: install them with "
                "`make setup-train`",
                code=PACKAGES_MISSING,
            )

    async def spec(self, new: NewRun) -> RunSpec:
        """Of a run that was checked. Raises Retryable when not every vote is durable yet."""
        recipe = self.recipe(new.recipe, new.role)
        run_id = new_id()
        states = {role: self._registry.state(new.tenant, role) for role in recipe.reads}
        settings = _recipe_settings(new)
        base = self._base(recipe, states[recipe.starts_from], settings)
        return RunSpec.model_validate(
            {
                **vars(new),
                "run_id": run_id,
                "recipe": recipe.name,
                "role": recipe.role,
                "profile": profile_named(new.profile).name,
                "settings": settings,
                "verb_minutes": _verb_minutes(new),
                "code": f"gyre-trainer {installed_version('gyre-trainer')}",
                "version": f"{base.version[:_LONGEST_BASE]}-{run_id.hex[-8:]}",
                "live": {role: state.artifact(state.live) for role, state in states.items()},
                "base": base.version,
                "base_artifact": base,
                "named": {
                    name: self._artifact(states[role], settings[name], name)
                    for name, role in recipe.names.items()
                    if name in settings
                },
                "unaffected": (
                    self._registry.with_their_own(recipe.role) if new.tenant == EVERY_TENANT else ()
                ),
                "window": dict(await self._current_window()),
                "started_at": now(),
            }
        )

    def _base(self, recipe: Recipe, state: ReleaseChanged, settings: Mapping[str, str]) -> Artifact:
        live = state.artifact(state.live)
        if live is None:
            raise FailedPrecondition(f"the live version of {state.role} is not registered")
        return self._artifact(state, recipe.base(live, settings), "base")

    def _artifact(self, state: ReleaseChanged, version: str, setting: str) -> Artifact:
        shared = self._registry.state(EVERY_TENANT, state.role)
        artifact = state.artifact(version) or shared.artifact(version)
        if artifact is None:
            raise InvalidInput(
                f"setting {setting}",
                f"names {version}, which is no version of {state.role}",
                f"use one that `gyre releases {state.role}` shows",
            )
        return artifact


def _recipe_settings(new: NewRun) -> dict[str, str]:
    return {name: value for name, value in new.settings.items() if name != VERB_MINUTES}


def _verb_minutes(new: NewRun) -> float | None:
    text = new.settings.get(VERB_MINUTES)
    if text is None:
        return None
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise InvalidInput(f"setting {VERB_MINUTES}", "is no time", "give minutes above 0")
    return minutes
