"""What the conductor of a run needs to know about a recipe, without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gyre_common.events.releases import Roles


@dataclass(frozen=True)
class Recipe:
    """A way to train one role. Each variant is a training of its own; the export chooses one.

    `check` raises InvalidInput for a setting that is unknown or out of range.
    """

    name: str
    role: Roles
    variants: tuple[str, ...]
    check: Callable[[Mapping[str, str]], object]
