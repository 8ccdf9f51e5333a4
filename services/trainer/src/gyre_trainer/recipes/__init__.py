"""What can be trained, by name. Importing this needs no torch: a recipe's verbs do."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre_common.errors import InvalidInput

from gyre_trainer.recipes.generator_dpo import DPO
from gyre_trainer.recipes.generator_grpo import GRPO
from gyre_trainer.recipes.generator_kto import KTO
from gyre_trainer.recipes.generator_sft import SFT
from gyre_trainer.recipes.generator_soft_prompt import SOFT_PROMPT
from gyre_trainer.recipes.judge_reward import REWARD
from gyre_trainer.recipes.prompt_few_shot import FEW_SHOT
from gyre_trainer.recipes.query_encoder import QUERY_ENCODER
from gyre_trainer.recipes.recipe import Recipe

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        each.name: each
        for each in (QUERY_ENCODER, SFT, DPO, KTO, GRPO, SOFT_PROMPT, FEW_SHOT, REWARD)
    }
)

DEFAULT_RECIPE = QUERY_ENCODER.name


def recipe_named(name: str, recipes: Mapping[str, Recipe] = RECIPES, *, role: str = "") -> Recipe:
    """The one of that name; where it is empty, the first that trains the role, or the default one.
    Raises InvalidInput.
    """
    of_role = {each.name: each for each in recipes.values() if role in ("", each.role)}
    if not of_role:
        roles = ", ".join(sorted({each.role for each in recipes.values()}))
        raise InvalidInput("role", "is one that no recipe trains", f"use one of {roles}")
    if not name:
        return of_role.get(DEFAULT_RECIPE) or next(iter(of_role.values()))
    recipe = of_role.get(name)
    if recipe is None:
        known = ", ".join(sorted(of_role))
        problem = f"does not train {role}" if name in recipes else "is unknown"
        raise InvalidInput("recipe", problem, f"use one of {known}")
    return recipe


def roles_read(recipes: Mapping[str, Recipe] = RECIPES) -> list[str]:
    """The roles of which a run of any recipe writes down what is live."""
    return sorted({role for recipe in recipes.values() for role in recipe.reads})
