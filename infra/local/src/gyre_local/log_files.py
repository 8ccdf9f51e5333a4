"""Log files of the local processes: one generation kept, bounded, and the line that matters."""

import json
import os
import re
import shutil
from pathlib import Path

LIMIT_BYTES = 50 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_LONGEST_LINE = 300
_TELLING = re.compile(r"error|exception|fatal|critical|denied|refused|no space", re.IGNORECASE)
_LAST_WORDS = re.compile(r"gyre-[a-z-]+: ")
"""How a service of Gyre says why it ends; libraries may go on logging what they had open."""

_FRAME_OF_A_GROUP = " |+-"
_STACK_FRAME = re.compile(r"^\s+(at |\.\.\. \d|File \")")


def rotate(path: Path) -> None:
    """Puts the last run's log aside."""
    if path.exists():
        path.replace(previous(path))


def bound(path: Path) -> None:
    """Copies aside and empties a log that grew too long; its writer appends and does not notice.

    Lines written between the copy and the cut are lost.
    """
    if path.stat().st_size > LIMIT_BYTES:
        shutil.copyfile(path, previous(path))
        os.truncate(path, 0)


def previous(path: Path) -> Path:
    """Where the generation before lies."""
    return path.with_suffix(".log.1")


def size(path: Path) -> int:
    """0 for a log that is not there yet."""
    return path.stat().st_size if path.exists() else 0


def cause_line(path: Path, *, since: int = 0) -> str:
    """A service's last words past byte `since`; else the last line that names a problem, else the
    last of all; of JSON the message.
    """
    try:
        with path.open("rb") as log:
            log.seek(max(0, since, size(path) - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    lines = [line for line in lines if line.strip() and not _STACK_FRAME.match(line)]
    last_words = [line for line in lines if _LAST_WORDS.match(line)]
    telling = last_words or [line for line in lines if _TELLING.search(line)] or lines or [""]
    return _message(telling[-1])[:_LONGEST_LINE]


def _message(line: str) -> str:
    try:
        record = json.loads(line)
        message = str(record["message"])
    except (ValueError, TypeError, KeyError):
        return line.strip()
    trace = (line.strip(_FRAME_OF_A_GROUP) for line in str(record.get("exc_info", "")).splitlines())
    return ": ".join([message, *list(filter(None, trace))[-1:]])
