"""What the three engines share: a name, a folder of their own, and how they become a process."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from gyre_local.ports import Ports
from gyre_local.process import ProcessSpec


class Engine(ABC):
    """One engine of one home. All its data lies under `folder`, and survives whatever kills it."""

    name: ClassVar[str]

    def __init__(self, home: Path, ports: Ports) -> None:
        self.home = home
        self.folder = home / self.name
        self.ports = ports

    @abstractmethod
    def spec(self) -> ProcessSpec:
        """How to run it. Raises SetupError when what it needs is not installed."""
