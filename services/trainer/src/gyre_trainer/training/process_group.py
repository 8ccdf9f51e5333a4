"""Ties a verb to the trainer that started it: one never outlives the other unnoticed."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

NICENESS = 10
_PR_SET_PDEATHSIG = 1
_GRACE = 5


def lower_priority() -> None:
    """Give way to whoever serves."""
    os.nice(NICENESS)


def die_with_parent(parent: int) -> None:
    """Get SIGTERM when the process `parent` dies; exit where it is gone already.

    See prctl(2); where there is no prctl, a verb outlives a trainer that was killed, and its
    files are simply not used.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent and os.getppid() != parent:  # it died before we asked
        sys.exit(128 + signal.SIGTERM)


def run_in_group(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command that starts processes of its own; returns its exit status.

    They share this process's group. Told to end, it tells all of them, and ends those by force,
    itself too, that have not seen to their affairs within a while.
    """
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    with subprocess.Popen(command, env=dict(environment)) as process:
        signal.signal(signal.SIGTERM, _end_all)
        return process.wait()


def _end_all(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _end_by_force)
    signal.alarm(_GRACE)
    os.killpg(os.getpgrp(), signal.SIGTERM)


def _end_by_force(number: int, frame: object) -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
