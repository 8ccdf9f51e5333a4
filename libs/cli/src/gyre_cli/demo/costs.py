"""What the demonstration costs: CPU time of the local system."""

from contextlib import suppress
from pathlib import Path

import psutil
from gyre.trainer.v1 import trainer_pb2
from gyre_local.control import running_state


class StageCosts:
    """CPU-minutes of the whole system while a run is in each of its stages, those of the services
    that work for it included; nothing where the system is not local.
    """

    def __init__(self, home: Path) -> None:
        self.minutes: dict[str, float] = {}
        self._home = home
        self._stage = ""
        self._before = cpu_seconds(home)

    def see(self, run: trainer_pb2.Run) -> None:
        """The run as it is now."""
        if run.stage != self._stage:
            self._count()
            self._stage = run.stage

    def finish(self) -> dict[str, float]:
        """All of them, once the run has ended."""
        self._count()
        return self.minutes

    def _count(self) -> None:
        now = cpu_seconds(self._home)
        if now is not None and self._before is not None and self._stage:
            spent = (now - self._before) / 60
            self.minutes[self._stage] = self.minutes.get(self._stage, 0.0) + spent
        self._before = now


def in_words(minutes: dict[str, float]) -> str:
    """One stage after the other."""
    return ", ".join(f"{stage} {spent:.1f}" for stage, spent in minutes.items())


def cpu_seconds(home: Path) -> float | None:
    """Spent by the local system, finished children included; None if there is none."""
    state = running_state(home)
    return None if state is None else spent_by(state.supervisor.pid)


def spent_by(pid: int) -> float:
    """Seconds of a process and its living kin; those that ended are in their parents' books."""
    try:
        leader = psutil.Process(pid)
        kin = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    seconds = 0.0
    for process in kin:
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds
