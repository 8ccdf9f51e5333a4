"""The worker processes of one training: how they add up their parts, and when they end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import deepspeed
import psutil
import torch
from gyre_common.errors import Retryable
from torch import distributed

_LAUNCHERS = 2  # `deepspeed`, and the process that it starts on each machine
_LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class StepReport:
    """What a worker reports of its part of a step, or the sum over all workers."""

    loss: float
    tokens: int
    cpu_seconds: float
    stop: bool


class Workers:
    """This process among its siblings."""

    def __init__(self) -> None:
        """Join them; alone, where no launcher started this process."""
        for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
            os.environ.setdefault(name, value)
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", "0")
        # DeepSpeed would compile this at run time with whatever compiler it finds; gloo does.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
        self.rank = distributed.get_rank()
        self.count = distributed.get_world_size()
        self.device = torch.device(deepspeed.get_accelerator().current_device_name())

    @property
    def first(self) -> bool:
        """Tell whether this is the one that writes and reports."""
        return self.rank == 0

    def sum_reports(self, own: StepReport) -> StepReport:
        """The sum of everybody's part; stop when anybody wants to."""
        loss, tokens, cpu_seconds, stops = self.sum(astuple(own))
        return StepReport(loss, int(tokens), cpu_seconds, stops > 0)

    def sum(self, own: Sequence[float]) -> list[float]:
        """Each number, added up over everybody, who all have as many. Raises Retryable where one of
        them is gone.
        """
        totals = torch.tensor(own, dtype=torch.float64, device=self.device)
        try:
            distributed.all_reduce(totals)
        except RuntimeError as error:
            raise Retryable(
                "another process of this training was killed or has crashed: is memory enough?"
            ) from error
        values: list[float] = totals.tolist()
        return values

    def wait(self) -> None:
        """Until everybody is here."""
        self.sum_reports(StepReport(0.0, 0, 0.0, stop=False))

    @staticmethod
    def leave() -> None:
        """Gloo's threads that outlive the interpreter abort the process now and then."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


def stop_signal() -> Callable[[], bool]:
    """Whether SIGTERM or SIGINT came: the step under way is finished and kept before the end."""
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.append(number))
    return lambda: bool(received)


def end_with_launcher() -> None:
    """End this process when its launcher is gone, whatever killed that: nothing lingers."""
    if "LOCAL_SIZE" not in os.environ:  # DeepSpeed's launcher sets it
        return
    launchers = psutil.Process().parents()[:_LAUNCHERS]

    def watch() -> None:
        while all(
            each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in launchers
        ):
            time.sleep(_LOOK_EVERY_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="launcher-watch", daemon=True).start()
