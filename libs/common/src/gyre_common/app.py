"""How a service's process lives: it starts, waits for its engines, serves, drains and ends."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, Protocol, TypeVar

from gyre_common.bus import Bus
from gyre_common.bus.stacks import stack_of_thread
from gyre_common.errors import GyreError, Retryable
from gyre_common.retrying import retry
from gyre_common.rpc.server import RpcServer, serve
from gyre_common.settings import ServiceSettings, SettingsError, load_settings
from gyre_common.telemetry.exposition import Readiness, expose
from gyre_common.telemetry.logs import start_logging
from gyre_common.telemetry.metrics import METRICS
from gyre_common.telemetry.tracing import start_tracing

log = logging.getLogger(__name__)

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2

_CHECK_EVERY, _CHECK_SOON = 1.0, 0.1
_CHECK_LIMIT = 5.0
_TRUSTED_SECONDS = 3.0
"""So long a check that held is believed: engines asked each second do not rest."""
_LAST_WORDS = 2.0
_LOOP_LIMIT = 5.0

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
Check = Callable[[], bool | Awaitable[bool]]


class Enter(Protocol):
    """How a service opens what it needs."""

    async def __call__(self, context: AbstractAsyncContextManager[T], /) -> T:
        """Enter a context; it stays open until the process has drained. They close in reverse."""


@dataclass(frozen=True)
class App:
    """What a service built: its gRPC servicers, its bus, and what else it does and depends on.

    A check in `ready` is cheap, runs each second, and raises nothing but GyreError. `tasks` run
    until the process drains; one that fails ends the process. `troubles` says what goes wrong and
    does not keep it from serving.
    """

    rpc: Sequence[object]
    bus: Bus | None = None
    ready: Mapping[str, Check] = field(default_factory=dict)
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    troubles: Callable[[], Sequence[str]] = tuple


Create = Callable[[S, Enter], Awaitable[App]]


def run(kind: type[S], create: Create[S]) -> NoReturn:
    """Run a service until SIGTERM or SIGINT, then exit the process.

    The exit status is 0 after a drain, 1 after a failure, 2 for a setting that cannot work, or for
    an argument: there are none but `--help`. While
    `create` raises Retryable (an engine is down) what it entered is closed, and the process waits,
    unready, with growing pauses. A second signal ends the process at once.
    """
    _read_arguments(kind)
    try:
        settings = load_settings(kind)
    except SettingsError as error:
        _print_error(kind.service, error)
        sys.exit(EXIT_SETTINGS)
    start_logging(settings.service, settings.log_level)
    start_tracing(settings.service)
    sys.exit(asyncio.run(_Process(settings, create).live()))


def _read_arguments(kind: type[ServiceSettings]) -> None:
    names = [f"GYRE_{name.upper()}" for name in kind.model_fields]
    argparse.ArgumentParser(
        description=f"Run Gyre's {kind.service} until SIGTERM or SIGINT.",
        epilog=f"Settings are environment variables, see its README: {', '.join(sorted(names))}.",
    ).parse_args()


class _Process:
    """One life of a service. All of it happens in one task, so that whatever fails in the service's
    own task groups ends this task too.
    """

    def __init__(self, settings: ServiceSettings, create: Create[Any]) -> None:
        self._settings = settings
        self._create = create
        self._readiness = Readiness(checks={"started": False})
        self._trusted_until: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self._started = False
        self._bus: Bus | None = None

    async def live(self) -> int:
        """Serve until a signal comes; returns the exit status."""
        self._handle_signals()
        try:
            await self._serve()
        except asyncio.CancelledError:
            if self._started:
                log.error("not drained in time", extra={"seconds": self._settings.drain_seconds})
                return EXIT_FAILED
        except Exception as error:
            # The edge of the process: what is left here ends it. A GyreError speaks for itself,
            # anything else is a bug.
            cause = _single_cause(error)
            if isinstance(cause, GyreError):
                _print_error(self._settings.service, cause)
            else:
                log.exception("crashed")
            return EXIT_FAILED
        log.info("stopped")
        return EXIT_OK

    def _handle_signals(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def on_signal(number: int) -> None:
            if self._stopping.is_set():
                os._exit(128 + number)
            self._stopping.set()
            seconds = self._settings.drain_seconds
            _exit_after(seconds + _LAST_WORDS)
            if self._started:
                log.info("draining", extra={"signal": signal.Signals(number).name})
                loop.call_later(seconds, task.cancel)
            else:
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)

    async def _serve(self) -> None:
        settings = self._settings
        liveness_problem = partial(self._liveness_problem, asyncio.get_running_loop())
        async with AsyncExitStack() as stack:
            stack.enter_context(
                expose(
                    settings.host, settings.metrics_port, lambda: self._readiness, liveness_problem
                )
            )
            server = await stack.enter_async_context(
                serve(
                    host=settings.host,
                    port=settings.grpc_port,
                    keys=settings.accepted_keys,
                    identities=settings.identities,
                )
            )
            app = await self._open(stack, server)
            await server.add(app.rpc)
            self._started, self._bus = True, app.bus
            log.info("started", extra={"port": settings.grpc_port})
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(task()) for task in app.tasks]
                await self._watch(app, server)
                await server.drain(settings.drain_seconds / 2)
                for task in tasks:
                    task.cancel()

    async def _open(self, stack: AsyncExitStack, server: RpcServer) -> App:
        async def open_app() -> App:
            try:
                async with AsyncExitStack() as opening:
                    app = await self._create(self._settings, opening.enter_async_context)
                    stack.push_async_exit(opening.pop_all())
            except ExceptionGroup as error:
                if isinstance(cause := _single_cause(error), Retryable):
                    raise cause from error
                raise
            return app

        def waiting(error: BaseException, seconds: float) -> None:
            self._readiness = Readiness(checks={"started": False}, waiting_for=str(error))
            server.set_waiting_for(str(error))
            log.warning("waiting", extra={"for": str(error), "retry_seconds": seconds})

        return await retry(open_app, Retryable, first=0.5, longest=10.0, on_pause=waiting)

    async def _watch(self, app: App, server: RpcServer) -> None:
        while not self._stopping.is_set():
            checks = {"started": True}
            problems = app.bus.problems() if app.bus is not None else []
            if app.bus is not None:
                checks["kafka"] = not problems
                METRICS.ready.labels("kafka").set(not problems)
            for name, check in app.ready.items():
                checks[name] = await self._holds(name, check)
            troubles = app.bus.troubles() if app.bus is not None else []
            problems = [*problems, *troubles, *app.troubles()]
            await self._set_readiness(Readiness(checks, problems=problems), server)
            pause = _CHECK_EVERY if self._readiness.ready else _CHECK_SOON
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        self._readiness = Readiness(checks={"draining": False})

    async def _holds(self, name: str, check: Check) -> bool:
        clock = asyncio.get_running_loop().time
        if self._trusted_until.get(name, 0.0) > clock():
            return True
        try:
            result = check()
            holds = (
                result if isinstance(result, bool) else await asyncio.wait_for(result, _CHECK_LIMIT)
            )
        except (GyreError, TimeoutError):
            holds = False
        METRICS.ready.labels(name).set(holds)
        self._trusted_until[name] = clock() + _TRUSTED_SECONDS if holds else 0.0
        return holds

    async def _set_readiness(self, now: Readiness, server: RpcServer) -> None:
        before, self._readiness = self._readiness, now
        if (before.checks, before.problems) == (now.checks, now.problems):
            return
        if now.ready:
            log.info("ready")
        else:
            missing = [name for name, holds in now.checks.items() if not holds]
            log.warning("not ready", extra={"missing": missing, "problems": now.problems})
        await server.set_serving(now.ready)

    def _liveness_problem(self, loop: asyncio.AbstractEventLoop) -> str:
        """What only a restart helps against; called in another thread."""
        turn = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
        try:
            turn.result(_LOOP_LIMIT)
        except TimeoutError:
            turn.cancel()
            stack = stack_of_thread(threading.main_thread().ident)
            log.error("the event loop is stuck", extra={"stack": stack})
            return f"the event loop did not turn for {_LOOP_LIMIT:g} s"
        alive = self._bus is None or self._stopping.is_set() or self._bus.alive()
        return "" if alive else "a task that consumes has ended"


def _single_cause(error: Exception) -> Exception:
    # A task group wraps even a single failure.
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _exit_after(seconds: float) -> None:
    # A thread, because what hangs may be the event loop, or a thread that it waits for.
    timer = threading.Timer(seconds, os._exit, (EXIT_FAILED,))
    timer.daemon = True
    timer.start()


def _print_error(service: str, error: GyreError) -> None:
    # For the person or the supervisor who started the process; the log may not be set up yet.
    sys.stderr.write(f"gyre-{service}: {error}\n")
