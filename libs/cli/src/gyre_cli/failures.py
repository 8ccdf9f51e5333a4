"""The edge of the command: every failure becomes one line that says what to do."""

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable

import typer
from gyre_client import errors as client_errors
from gyre_common import errors as local_errors

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_START_OR_SAY = (
    "start the system with `gyre up`, or say where it is by GYRE_HOME, GYRE_PORT_OFFSET or the "
    "GYRE_…_ADDRESS variables"
)


def guarded(run: Callable[[], int]) -> int:
    """The exit status of a command, whose every failure becomes one line on stderr."""
    if not _debugging():
        logging.disable(logging.CRITICAL)
    try:
        return run()
    except typer.TyperException as error:
        return _failed(_usage(error), error.exit_code)
    except (client_errors.InvalidInput, local_errors.InvalidInput) as error:
        return _failed(str(error), USAGE)
    except client_errors.Unreachable as error:
        return _failed(f"{error}: {_START_OR_SAY}", FAILED)
    except (client_errors.GyreError, local_errors.GyreError) as error:
        return _failed(str(error), FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError, typer.Abort):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; flushing at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # noqa: BLE001 (the edge of the process: what is left is a bug)
        return _failed(
            f"unexpected {type(error).__name__}: {error} — run it again with GYRE_DEBUG=1 and "
            "report what it prints",
            FAILED,
        )


def _usage(error: typer.TyperException) -> str:
    message = error.format_message().rstrip(".")
    if not message:
        return ""  # the help itself was printed
    context = getattr(error, "ctx", None)
    return f"{message} — see `{context.command_path if context else 'gyre'} --help`"


def _failed(message: str, code: int) -> int:
    if _debugging():
        traceback.print_exc()
    if message:
        sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return code


def _debugging() -> bool:
    return bool(os.environ.get("GYRE_DEBUG"))
