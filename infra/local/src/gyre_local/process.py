"""What the supervisor has to know of a process: how to start it, and when it is ready."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gyre_local.probes import Probe


def _nothing_to_prepare() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One process of the local system.

    `env` is added to the supervisor's own. `prepare` runs before each start (render config files,
    format a disk) and may raise LocalError. A process whose `liveness` probe fails for long is
    started anew; one without is left alone while it runs. `stop_grace` is how many seconds it has
    between SIGTERM and SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    probe: Probe
    liveness: Probe | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[], None] = _nothing_to_prepare
    stop_grace: float = 10.0
