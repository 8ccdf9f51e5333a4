"""Where code that does not get on stands: the stack of a task, and of the threads it waits for."""

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

_LONGEST = 6_000
_IDLE = ("_worker", "wait", "get", "select", "poll", "accept", "_wait_for_tstate_lock")


def stack_of_task(task: "asyncio.Task[Any]") -> str:
    """The chain of what a suspended task awaits, outermost first, into tasks that it waits for.

    Where it waits for something else, such as a call in a thread, the threads at work follow.
    """
    lines: list[str] = []
    waiting: asyncio.Future[Any] | None = task
    seen = set[int]()
    while isinstance(waiting, asyncio.Task) and id(waiting) not in seen:
        seen.add(id(waiting))
        lines += [_line(frame) for frame in _frames(waiting.get_coro())]
        waiting = getattr(waiting, "_fut_waiter", None)
    if waiting is not None:
        lines.append(f"waits for {waiting!r:.300}")
    lines += _threads_at_work()
    return "\n".join(lines)[:_LONGEST]


def stack_of_thread(thread: int | None) -> str:
    """What the thread of this identity does now; empty where there is none."""
    frame = sys._current_frames().get(thread or 0)
    return "".join(traceback.format_stack(frame))[-_LONGEST:] if frame is not None else ""


def _frames(awaited: object) -> Iterator[FrameType]:
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        frame = frame or getattr(awaited, "ag_frame", None)
        if frame is not None:
            yield frame
        awaited = (
            getattr(awaited, "cr_await", None)
            or getattr(awaited, "gi_yieldfrom", None)
            or getattr(awaited, "ag_await", None)
        )


def _line(frame: FrameType) -> str:
    summary = traceback.extract_stack(frame, limit=1)[0]
    return f"{summary.filename}:{summary.lineno} in {summary.name}: {summary.line}"


def _threads_at_work() -> Iterator[str]:
    """Those of executors that have work: idle ones wait for it."""
    own = threading.get_ident()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for identity, frame in sys._current_frames().items():
        if identity == own or names.get(identity) == "MainThread":
            continue
        frames = traceback.extract_stack(frame)
        if frames[-1].name in _IDLE and frames[-1].filename.endswith(_WAITING_FILES):
            continue
        yield f"thread {names.get(identity, identity)}:"
        yield from (f"  {each.filename}:{each.lineno} in {each.name}" for each in frames[-20:])


_WAITING_FILES = ("threading.py", "thread.py", "selectors.py", "socketserver.py", "socket.py")
