"""`python -m gyre_local.clickhouse_endpoint --data DIR --port N`: ClickHouse on this machine."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.engine import Engine
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.server import Endpoint

ANALYST_PASSWORD = "GYRE_CLICKHOUSE_ANALYST_PASSWORD"  # noqa: S105 - a variable's name
_HOST = "127.0.0.1"  # `default` has no password: never listen on anything else
_GRACE_SECONDS = 10.0

log = logging.getLogger("gyre_local.clickhouse_endpoint")


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 with one line on stderr where that cannot begin."""
    options = _options()
    logging.basicConfig(
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    passwords = {Account.ANALYST: os.environ.get(ANALYST_PASSWORD, "")}
    try:
        with Engine(options.data.absolute()) as engine:
            asyncio.run(_serve(engine, passwords, options.port))
    except EngineError as error:
        sys.stderr.write(f"ClickHouse cannot open {options.data}: {error.text}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"ClickHouse cannot start: {error}\n")
        return 1
    return 0


async def _serve(engine: Engine, passwords: dict[Account, str], port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    runner = web.AppRunner(
        Endpoint(engine, passwords).app(),
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=_GRACE_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, port).start()
        log.info("ClickHouse %s ready on http://%s:%d", engine.version, _HOST, port)
        await stopped.wait()
    finally:
        await runner.cleanup()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gyre_local.clickhouse_endpoint", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder for tables and metadata")
    parser.add_argument("--port", type=int, default=8123)
    levels = ["debug", "info", "warning", "error"]
    parser.add_argument("--log-level", default="info", choices=levels)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
