"""All commands of `gyre` by name, as the help groups them; one is loaded when it is invoked.

And the edge of the process: every failure becomes one line that says what to do.
"""

import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import typer
from gyre_client import errors as client_errors
from gyre_common import errors as local_errors
from typer._click.exceptions import NoArgsIsHelpError
from typer._coercion import build_runtime_param
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from gyre_cli.output import one_line, printable

HEADINGS: Mapping[str, Mapping[str, str]] = {
    "Run it": {
        "up": "Start engines and services, and keep them running.",
        "open": "Open the web page of the local system.",
        "down": "Stop the system that was started with `gyre up`.",
        "status": "Show what runs: state, process, port, memory, restarts and lag.",
        "logs": "Show the logs of the local system.",
        "secrets": "Show where the local system's secrets lie.",
    },
    "Use it": {
        "submit": "Submit documents and wait until they are searchable.",
        "delete": "Delete documents, and wait until no question finds them.",
        "documents": "Look at documents: what is there, and what happened to them.",
        "sources": "Look after the places that documents are fetched from.",
        "ask": "Ask a question; the answer streams, its sources follow.",
        "questions": "Suggest three questions to start with.",
        "vote": "Say what an answer was worth.",
        "explain": "Tell how an answer was made.",
    },
    "Improve it": {
        "demo": "Show the whole loop, from generated documents to a release and back, twice.",
        "train": "Train on the votes so far, and release what is better.",
        "runs": "Show the training runs, newest first, or one with its gate's report.",
        "datasets": "Look at the frozen data sets.",
    },
    "Look after it": {
        "releases": "Show which version of every role is live, or all of one role.",
        "models": "Look after the language models that may answer.",
        "register": "Make a version known that is another one with other settings.",
        "promote": "Make a version live, with what has to go along.",
        "rollback": "Go back to the version that was live before.",
        "index": "Fill the search index anew, beside the live one.",
        "telemetry": "Fill ClickHouse's tables anew, beside the live ones.",
        "dlq": "See to the records that could not be handled, and let held partitions go on.",
        "forget": "Forget what training keeps of a person, a conversation or a document.",
        "redact": "Rewrite what was kept before personal data was masked, hashed or dropped.",
    },
}
"""Each command with the first line of its own help."""

COMMANDS: Mapping[str, str] = {
    name: line for commands in HEADINGS.values() for name, line in commands.items()
}

_MODULES = {
    "delete": "submit",
    "open": "up",
    "down": "up",
    "secrets": "up",
    "ask": "answers",
    "questions": "answers",
    "vote": "answers",
    "explain": "answers",
    "train": "runs",
    "datasets": "training_data",
    "forget": "training_data",
    "redact": "training_data",
    "register": "releases",
    "promote": "releases",
    "rollback": "releases",
}
"""Where a command is that has no module of its own name in `gyre_cli.commands`."""

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_START_OR_SAY = (
    "start the system with `gyre up`, or say where it is by GYRE_HOME, GYRE_PORT_OFFSET or the "
    "GYRE_…_ADDRESS variables"
)


class Commands(TyperGroup):
    """Knows its commands by name; the module of one is imported when that one is needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """What help and completion show of it."""
        line = COMMANDS.get(cmd_name)
        return TyperCommand(cmd_name, help=line) if line else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, and its arguments."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and known else None, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Under their headings."""
        for heading, commands in HEADINGS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))


def load(name: str) -> Any:
    """One of COMMANDS: in its module, the function or group of that name."""
    module = import_module(f"gyre_cli.commands.{_MODULES.get(name, name)}")
    member = getattr(module, name)
    if isinstance(member, typer.Typer):
        group = get_command(member)
        group.name = name
        return group
    # Help is plain text: the library that draws boxes takes longer to import than all else.
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(member)
    return get_command(alone)


class _Coercion:
    """Leaves words, defaults and what was not given as they are.

    For each of them typer would import pydantic, which takes longer than all else.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        kind = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind == list[str] or type(value) is kind:
            return value
        if kind is int:
            return _whole_number(value, param)
        return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def _whole_number(text: str, param: Any) -> int:
    """Within the bounds of its parameter. Raises InvalidInput, which names it."""
    bounds = param.type_descriptor.parameter_info
    least, most = bounds.min or 0, bounds.max
    with suppress(ValueError):
        number = int(text)
        if number >= least and (most is None or number <= most):
            return number
    name = max(param.opts, key=len) if isinstance(param, TyperOption) else param.name.upper()
    span = f"from {least} on" if most is None else f"from {least} to {most}"
    raise client_errors.InvalidInput(name, f"is {text}", f"give a whole number {span}")


for _kind in (TyperArgument, TyperOption):
    setattr(_kind, "get_runtime_param", lambda _: _Coercion())  # noqa: B010 (types know no other)


app = typer.Typer(
    name="gyre",
    cls=Commands,
    help="Gyre: a self-hosted answer engine that gets better from its own use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _commands() -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; returns the exit status, and lets errors out."""
    words = None if arguments is None else list(arguments)
    status = get_command(app).main(words, prog_name="gyre", standalone_mode=False)
    return status if isinstance(status, int) else 0


def guarded(run: Callable[[], int]) -> int:
    """The exit status of a command, whose every failure becomes one line on stderr."""
    if not _debugging():
        logging.disable(logging.CRITICAL)
    try:
        return run()
    except NoArgsIsHelpError as error:
        sys.stderr.write(f"{printable(error.message)}\n")
        return USAGE
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
        sys.stderr.write(f"error: {one_line(message)}\n")
    return code


def _debugging() -> bool:
    return bool(os.environ.get("GYRE_DEBUG"))
