"""What the system spends on the demonstration."""

from contextlib import suppress
from pathlib import Path

import psutil
from gyre_local.control import running_state


def cpu_seconds(home: Path) -> float | None:
    """Spent by the local system, finished children included; None if there is none."""
    state = running_state(home)
    return None if state is None else spent_by(state.supervisor.pid)


def spent_by(pid: int) -> float:
    """Seconds of a process and its living kin; those that ended are in their parents' books."""
    try:
        kin = psutil.Process(pid)
        every = [kin, *kin.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    cpu_total = 0.0
    for process in every:
        with suppress(psutil.NoSuchProcess):
            cpu_total += sum(process.cpu_times()[:4])
    return cpu_total
