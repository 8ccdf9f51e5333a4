"""What can be trained, by name. Importing this needs no torch: a recipe's verbs do."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre_common.errors import InvalidInput

from gyre_trainer.recipes.query_encoder import QUERY_ENCODER
from gyre_trainer.recipes.recipe import Recipe

RECIPES: Mapping[str, Recipe] = MappingProxyType({QUERY_ENCODER.name: QUERY_ENCODER})

DEFAULT_RECIPE = QUERY_ENCODER.name


def recipe_named(name: str, recipes: Mapping[str, Recipe] = RECIPES) -> Recipe:
    """The one of that name, the default one when it is empty. Raises InvalidInput."""
    recipe = recipes.get(name or DEFAULT_RECIPE)
    if recipe is None:
        raise InvalidInput("recipe", "is unknown", f"use one of {', '.join(sorted(recipes))}")
    return recipe


def roles_read(recipes: Mapping[str, Recipe] = RECIPES) -> list[str]:
    """The roles of which a run of any recipe writes down what is live."""
    return sorted({role for recipe in recipes.values() for role in recipe.reads})
