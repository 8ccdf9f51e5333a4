"""The endpoint on its port, until it is told to stop."""

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import ChdbEngine
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.server import Endpoint

_HOST = "127.0.0.1"  # the analyst needs no password: never listen on anything else
_GRACE_SECONDS = 10.0

log = logging.getLogger("gyre_local.clickhouse_endpoint")


def serve(folder: Path, passwords: Mapping[Account, str], port: int) -> int:
    """Serve until SIGTERM or SIGINT; 1 with one line on stderr where that cannot begin."""
    try:
        with ChdbEngine(folder) as engine:
            asyncio.run(_serve(engine, passwords, port))
    except EngineError as error:
        sys.stderr.write(f"ClickHouse cannot open {folder}: {error.text}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"ClickHouse cannot start: {error}\n")
        return 1
    return 0


async def _serve(engine: ChdbEngine, passwords: Mapping[Account, str], port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    runner = web.AppRunner(
        Endpoint(engine, passwords).app(),
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,  # a caller that leaves cancels its query
        shutdown_timeout=_GRACE_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, port).start()
        log.info("ClickHouse %s ready on http://%s:%d", engine.version, _HOST, port)
        await stopped.wait()
    finally:
        await runner.cleanup()
