"""The line that says why a run failed, and whether it can go on."""

from gyre_common.errors import GyreError

from gyre_trainer.runs.retry_while_away import AWAY


def failure_line(error: GyreError, run_id: str) -> str:
    """One line; after a failure that passes, the command that goes on."""
    line = " ".join(str(error).split())
    if not isinstance(error, AWAY):
        return line
    return f"{line}; once that is mended, `gyre train --resume {run_id}` goes on from where it was"
