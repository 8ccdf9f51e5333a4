"""An order to train, in a run's folder, for nodes that share it; they obey it while it stands.

Workers on one machine end with their launcher. Between machines a connection may go and leave both
sides running, so whoever waits for a training counts in its order every two seconds. A training
whose order is withdrawn, or was not counted in for a minute, ends.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from gyre_common.errors import Conflict, FailedPrecondition
from pydantic import BaseModel, ConfigDict, ValidationError

from gyre_trainer.runs.folder import RunFolder, write_json

_COUNT_SECONDS = 2.0
_LAPSE_SECONDS = 60.0
_PATIENCE_SECONDS = 60.0
"""How long a file that another machine wrote may take until it is seen."""


class NotShared(FailedPrecondition):
    """What a machine has at the path of the run's folder is not that folder."""


class Order(BaseModel):
    """What to train. Each start of a training has a token of its own."""

    model_config = ConfigDict(frozen=True)

    token: str
    count: int
    module: str
    variant: str


class Failure(BaseModel):
    """Why nodes that took an order cannot carry it out, in one line."""

    model_config = ConfigDict(frozen=True)

    token: str
    line: str


def order_file(folder: RunFolder) -> Path:
    """There while the order stands."""
    return folder.path / "order.json"


def _failure_file(folder: RunFolder) -> Path:
    return folder.path / "order-failed.json"


@contextmanager
def ordered(folder: RunFolder, module: str, variant: str) -> Iterator[Order]:
    """An order that stands inside, and is withdrawn after. Raises OSError."""
    order = Order(token=str(uuid4()), count=0, module=module, variant=variant)
    write_json(order_file(folder), order)
    ended = threading.Event()

    def count() -> None:
        number = 0
        while not ended.wait(_COUNT_SECONDS):
            number += 1
            with suppress(OSError):  # a full disk may have room again before the order lapses
                write_json(order_file(folder), order.model_copy(update={"count": number}))

    counting = threading.Thread(target=count, name="order", daemon=True)
    counting.start()
    try:
        yield order
    finally:
        ended.set()
        counting.join()
        order_file(folder).unlink(missing_ok=True)


def standing_order(folder: RunFolder) -> Order | None:
    """The one that was given last, where it is not withdrawn."""
    try:
        return Order.model_validate_json(order_file(folder).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def check_shared(folder: RunFolder, token: str, *, patience: float = _PATIENCE_SECONDS) -> None:
    """Raises NotShared where this machine does not see the order that it was started by."""
    deadline = time.monotonic() + patience
    while (order := standing_order(folder)) is None or order.token != token:
        if time.monotonic() > deadline:
            raise NotShared(
                f"{socket.gethostname()} does not see the run at {folder.path}: all nodes need "
                "GYRE_HOME on a file system that they share, at the same path"
            )
        time.sleep(_COUNT_SECONDS / 4)


def has_lapsed(folder: RunFolder, token: str) -> Callable[[], bool]:
    """Whether nobody waits for the training any more, each time that it is asked. Raises Conflict
    where there is another order by now: what belongs to that must not be written to.
    """
    seen, changed_at = -1, time.monotonic()

    def lapsed() -> bool:
        nonlocal seen, changed_at
        order = standing_order(folder)
        if order is None:
            return True
        if order.token != token:
            raise Conflict(f"run {folder.path.name} was started again: this training ends")
        if order.count != seen:
            seen, changed_at = order.count, time.monotonic()
        return time.monotonic() - changed_at > _LAPSE_SECONDS

    return lapsed


def tell_failure(folder: RunFolder, token: str, line: str) -> None:
    """To whoever waits. Raises OSError."""
    write_json(_failure_file(folder), Failure(token=token, line=line))


def read_failure(folder: RunFolder, token: str) -> str | None:
    """Why an order cannot be carried out, where nodes have said so."""
    try:
        failure = Failure.model_validate_json(_failure_file(folder).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return failure.line if failure.token == token else None
