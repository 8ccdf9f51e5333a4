"""One node's part of a training that several share: `python -m gyre_trainer.training.node`.

Each node runs it, with a rank of its own, where the trainer starts none (GYRE_TRAINING_LAUNCHER is
`none`); a Kubernetes Job, for one. It waits for the run's order and starts this node's workers.
"""

import argparse
import sys
import time
from pathlib import Path

from gyre_common.errors import FailedPrecondition, GyreError

from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.launching import (
    MASTER_PORT,
    Nodes,
    hosts_of,
    run_in_group,
    training_command,
    training_environment,
)
from gyre_trainer.training.orders import Order, standing_order

_LOOK_SECONDS = 1.0


def main() -> int:
    """The launcher's exit status; 0 where the run has been trained. A failure is one line,
    `error: …`.
    """
    parser = argparse.ArgumentParser(prog="python -m gyre_trainer.training.node")
    parser.add_argument("--run", type=Path, required=True, help="the run's folder, shared by all")
    parser.add_argument("--hostfile", type=Path, required=True, help="a line a node: HOST slots=N")
    parser.add_argument("--node-rank", type=int, required=True, help="this node's line, from 0")
    parser.add_argument("--master-port", type=int, default=MASTER_PORT, help="of the first node")
    options = parser.parse_args()
    folder = RunFolder(options.run.absolute())
    try:
        slots = list(hosts_of(options.hostfile).values())
        if not 0 <= options.node_rank < len(slots):
            raise FailedPrecondition(
                f"{options.hostfile} has {len(slots)} nodes, and this is number "
                f"{options.node_rank}, from 0: add a line for each"
            )
        order = _next_order(folder)
    except GyreError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if order is None:
        return 0
    nodes = Nodes(options.hostfile, port=options.master_port, rank=options.node_rank)
    command = training_command(
        order.module, folder.path, order.variant, nodes=nodes, order=order.token
    )
    return run_in_group(command, training_environment(slots[options.node_rank]))


def _next_order(folder: RunFolder) -> Order | None:
    """Waits until one is counted in; None where the run has a candidate already. Raises
    FailedPrecondition.
    """
    last = None
    while True:
        if not folder.spec_file.exists():
            raise FailedPrecondition(
                f"{folder.path} holds no run: name the folder of one, on the file system that the "
                "trainer has as GYRE_HOME, at the same path"
            )
        if folder.candidate_file.exists():
            return None
        order = standing_order(folder)
        if order and last and order.token == last.token and order.count > last.count:
            return order
        last = order
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
