"""What can be trained, by name. Importing this needs no torch: a recipe's program does."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre_trainer.recipes.query_encoder import QUERY_ENCODER
from gyre_trainer.recipes.recipe import Recipe

RECIPES: Mapping[str, Recipe] = MappingProxyType({QUERY_ENCODER.name: QUERY_ENCODER})
