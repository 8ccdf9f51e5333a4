"""What the conductor of a run knows about a recipe; what it trains with stays in its verbs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gyre_common.events.releases import Artifact
from gyre_common.events.training import Verdict


@dataclass(frozen=True)
class Recipe:
    """A way to train one role, in four verbs, each a module of `package` and a child process.

    `prepare`, `export` and `compare` hold a function of that name that takes the run's folder and
    the trainer's settings. `train` is a program, started once for each variant with `--run FOLDER
    --variant NAME`; the export chooses one. With `deepspeed` it has several workers.

    `reads` names the roles whose live versions a run writes down when it begins; `starts_from` is
    the one whose live version the candidate is made of and named after, unless `base` names another
    by the live one and the settings. `names` are settings that name a version of a role, by that
    role: a run writes down where it lies. `packages` must be installed where the trainer runs.
    `check` raises InvalidInput for a setting that is unknown or out of range. A run trains all
    `variants`, or those that `chosen` picks by the settings. `verdict_in` reads a stored report:
    runs of before have their verdict nowhere else.
    """

    name: str
    role: str
    package: str
    reads: tuple[str, ...]
    starts_from: str
    check: Callable[[Mapping[str, str]], object]
    variants: tuple[str, ...] = ("only",)
    deepspeed: bool = False
    packages: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    base: Callable[[Artifact, Mapping[str, str]], str] = lambda live, _: live.version
    chosen: Callable[[Mapping[str, str]], tuple[str, ...]] | None = None
    verdict_in: Callable[[bytes], Verdict | None] = lambda _: None

    def __post_init__(self) -> None:
        missing = sorted({self.role, self.starts_from, *self.names.values()} - set(self.reads))
        if missing:
            raise ValueError(f"recipe {self.name}: `reads` lacks {', '.join(missing)}")

    def variants_of(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        """What a run with these settings trains."""
        return self.chosen(settings) if self.chosen else self.variants
