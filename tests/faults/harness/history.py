"""What clients were promised: every act, when it was sent and when it was acknowledged.

A file of JSON lines that is only ever appended to. A record is on the disk before the call that
writes it returns, so a client that is killed loses nothing that it was promised.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self


class Kind(StrEnum):
    """What a client asked for."""

    SUBMIT = "submit"
    DELETE = "delete"
    ANSWER = "answer"
    VOTE = "vote"
    RELEASE = "release"


@dataclass(frozen=True, kw_only=True)
class Act:
    """One thing that a client asked for.

    Attributes:
        kind: what it was.
        tenant: whose.
        key: what it changes, such as a document; acts of one tenant and key have an order.
        id: its own, the same at every attempt, and of no other act.
        value: what a store shows afterwards, such as a digest or a version; of a deletion "".
        at: when it was first sent, in seconds since 1970 (`time.time()`).
        acknowledged_at: when the promise was given; None while, or where, there was none. Such an
            act may have happened or not.
        poison: nobody can handle it, so it belongs into the dead letters.
    """

    kind: Kind
    tenant: str
    key: str
    id: str
    value: str
    at: float
    acknowledged_at: float | None = None
    poison: bool = False

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Raises ValueError, TypeError: it is no act."""
        fields = json.loads(line)
        return cls(**{**fields, "kind": Kind(fields["kind"])})


class HistoryWriter:
    """Appends acts to the history of one client. Open it, `write`, close it; `with` does both.

    A client writes an act before it sends it, and again once it was acknowledged: the later line
    of an id counts. One process writes one file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _end_last_line(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def write(self, *acts: Act) -> None:
        """Returns once they are on the disk. Raises OSError: they may not be."""
        data = memoryview("".join(f"{act.to_json()}\n" for act in acts).encode())
        while data:
            data = data[os.write(self._file, data) :]
        os.fdatasync(self._file)


def _end_last_line(path: Path) -> None:
    """A client that was killed may have left half a line, which shall not spoil the next one."""
    try:
        with path.open("r+b") as file:
            if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) and file.read(1) != b"\n":
                file.write(b"\n")
    except FileNotFoundError:
        return


def read_history(paths: Iterable[Path]) -> list[Act]:
    """The acts of several clients, in the order in which they were sent, each once.

    Half a line, which only a killed client leaves and never acknowledged, is passed over.
    """
    acts: dict[str, Act] = {}
    for path in paths:
        for act in _acts_in(path):
            before = acts.get(act.id)
            acts[act.id] = act if before is None else _merged(before, act)
    return sorted(acts.values(), key=lambda act: act.at)


def _acts_in(path: Path) -> Iterator[Act]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield Act.from_json(line)
            except (ValueError, TypeError, KeyError):
                continue


def _merged(first: Act, second: Act) -> Act:
    """Of two lines about one act: sent at the earlier time, and acknowledged if either was."""
    promises = [a.acknowledged_at for a in (first, second) if a.acknowledged_at is not None]
    fields = asdict(second) | {
        "kind": second.kind,
        "at": min(first.at, second.at),
        "acknowledged_at": min(promises, default=None),
    }
    return Act(**fields)
