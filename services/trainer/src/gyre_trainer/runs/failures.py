"""How the failure of a run is told, so that whoever reads it knows whether it can go on."""

from gyre_common.errors import GyreError

from gyre_trainer.runs.patience import AWAY


def told(error: GyreError, run_id: str) -> str:
    """One line; after a failure that passes, the command that goes on."""
    said = " ".join(str(error).split())
    if not isinstance(error, AWAY):
        return said
    return f"{said}; once that is mended, `gyre train --resume {run_id}` goes on from where it was"
