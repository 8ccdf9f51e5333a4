"""What can go wrong with the local system, each as one line that says what to do."""

from pathlib import Path
from typing import Self

from gyre_common.errors import GyreError


class LocalError(GyreError):
    """The local system cannot do what was asked; the message is one line, fit for a person."""


class SetupError(LocalError):
    """Something that the engines need is not installed, or could not be fetched."""


class HomeError(LocalError):
    """The home folder cannot hold a running system: read-only, full, or not a folder."""


class PortTakenError(LocalError):
    """Another program listens where one of ours has to."""


class AlreadyRunningError(LocalError):
    """One home runs one system at a time."""

    @classmethod
    def in_home(cls, home: Path, pid: int | str) -> Self:
        """Names who holds the home."""
        return cls(
            f"a system already runs in {home} (pid {pid}): "
            "stop it with `gyre down` or choose another folder with --home"
        )


class StartError(LocalError):
    """A process did not become ready."""
