"""The recording sink of a consumer process: files that are appended to and never rewritten.

Beside them lies how much work is in flight, in memory that outlives the process, so that who kills
it can see what it hit.
"""

import asyncio
import json
import mmap
import os
import struct
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gyre_common.errors import Retryable

from tests.faults.harness.checker import Entry
from tests.faults.harness.history import Kind
from tests.faults.harness.shapes import STORE

_SINK, _FLIGHT = "sink", "flight"
_ENTRY, _GAVE_UP, _BUG = "entry", "gave-up", "bug"
_COUNTS = struct.Struct("qq")


class FileRecorder:
    """Implements `Recorder` for one process. Who waits together is written together."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = f"{name}-{os.getpid()}"
        self._sessions: dict[str, int] = defaultdict(int)
        path = folder / _SINK / self._name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lines: list[str] = []
        self._flushing: asyncio.Task[None] | None = None
        self._counts = _shared(folder / _FLIGHT / self._name)
        self._begun = self._ended = 0

    def writer(self, topic: str) -> str:
        """See `Recorder`."""
        return f"{self._name} {topic} {self._sessions[topic]}"

    def now(self) -> float:
        """See `Recorder`."""
        return time.time()

    @contextmanager
    def work(self, records: int) -> Iterator[None]:
        """See `Recorder`."""
        self._begun += records
        _COUNTS.pack_into(self._counts, 0, self._begun, self._ended)
        try:
            yield
        finally:
            self._ended += records
            _COUNTS.pack_into(self._counts, 0, self._begun, self._ended)

    def gave_up(self, topic: str) -> None:
        """The partitions of a topic were handed over in order."""
        self._note(_GAVE_UP, self.writer(topic), self.now())
        self._sessions[topic] += 1

    def bug(self, acts: Sequence[str]) -> None:
        """A fault of the schedule makes these acts fail."""
        self._note(_BUG, *acts)

    async def write(self, entries: Sequence[Entry]) -> None:
        """See `Recorder`. Raises Retryable: they may not be there."""
        for each in entries:
            place = each.topic, each.partition
            self._lines.append(
                _line(
                    _ENTRY,
                    each.tenant,
                    each.key,
                    each.act,
                    each.id,
                    each.order,
                    each.value,
                    each.at,
                    each.writer,
                    *place,
                )
            )
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        try:
            await asyncio.shield(self._flushing)
        except OSError as error:
            raise Retryable("the disk of the sink takes no more") from error

    async def _flush(self) -> None:
        await asyncio.sleep(0)  # for all that is ready to write
        lines, self._lines, self._flushing = self._lines, [], None
        await asyncio.to_thread(self._append, "".join(lines).encode())

    def _note(self, *fields: Any) -> None:
        self._append(_line(*fields).encode())

    def _append(self, data: bytes) -> None:
        """What a full disk cuts off ends as a line of its own, which readers pass over."""
        written = os.write(self._file, data)
        if written < len(data):
            raise OSError(f"{written} of {len(data)} bytes were written")
        os.fdatasync(self._file)


def _line(*fields: Any) -> str:
    return "\n" + json.dumps(fields, separators=(",", ":")) + "\n"


def _shared(path: Path) -> mmap.mmap:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(_COUNTS.size))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _COUNTS.size)


def is_open(folder: Path, name: str, pid: int) -> bool:
    """Whether that process has begun."""
    return (folder / _FLIGHT / f"{name}-{pid}").exists()


def in_flight(folder: Path, name: str, pid: int) -> int:
    """Records in calls of handlers that did not end, of a process that stands still or is dead."""
    try:
        data = (folder / _FLIGHT / f"{name}-{pid}").read_bytes()
    except FileNotFoundError:
        return 0
    begun, ended = _COUNTS.unpack(data)
    return int(begun - ended)


class SinkReader:
    """Reads what all processes of a run write, as it grows."""

    def __init__(self, folder: Path) -> None:
        self.given_up: dict[str, float] = {}
        self.bugs: set[str] = set()
        self.acts: set[str] = set()
        self._folder = folder / _SINK
        self._entries: list[Entry] = []
        self._read: dict[Path, int] = {}

    def read(self) -> None:
        """What is new since the last time."""
        for path in sorted(self._folder.glob("*")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            end = data.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + end
            for line in data[:end].splitlines():
                if line:
                    self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            kind, *fields = json.loads(line)
        except ValueError:
            return  # cut off by a full disk
        match kind:
            case "entry":
                tenant, key, act, id_, order, value, at, writer, topic, partition = fields
                self.acts.add(act)
                self._entries.append(
                    Entry(
                        store=STORE,
                        kind=Kind.SUBMIT,
                        tenant=tenant,
                        key=key,
                        act=act,
                        id=id_,
                        order=order,
                        value=value,
                        at=at,
                        writer=writer,
                        topic=topic,
                        partition=partition,
                    )
                )
            case "gave-up":
                writer, at = fields
                self.given_up[writer] = at
            case "bug":
                self.bugs.update(fields)

    @property
    def log(self) -> list[Entry]:
        """All that was written so far, in the order of writing; each file is in order itself."""
        return sorted(self._entries, key=lambda entry: entry.at)
