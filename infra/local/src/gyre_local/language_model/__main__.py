"""`python -m gyre_local.language_model --key-file FILE`: language models on this machine."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from gyre_local.language_model.models import LanguageModels
from gyre_local.language_model.openvino_engine import OpenVinoEngine
from gyre_local.language_model.server import serve
from gyre_local.process import LISTENING_SOCKET
from gyre_local.secrets import Secret

_MEMORY_MB, _THREADS = "GYRE_LLM_MEMORY_MB", "GYRE_LLM_THREADS"


def main() -> int:
    """Serve until SIGTERM, SIGINT or rest; 1 with one line on stderr where that cannot begin."""
    parser = argparse.ArgumentParser(
        prog="python -m gyre_local.language_model", description=__doc__
    )
    parser.add_argument("--key-file", type=Path, required=True, help="holds the key of callers")
    parser.add_argument("--port", type=int, default=8090, help="unless a socket was handed over")
    parser.add_argument("--memory-mb", type=int, default=_number(_MEMORY_MB, 4_096))
    parser.add_argument("--threads", type=int, default=_number(_THREADS, os.cpu_count() or 1))
    parser.add_argument("--rest-after", type=float, default=60.0, help="seconds without a model")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    try:
        key = Secret(options.key_file).read()
        given = os.environ.pop(LISTENING_SOCKET, "")
        if given:
            listening = socket.socket(fileno=int(given))
        else:
            listening = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        sys.stderr.write(f"the language models cannot be served: {error}\n")
        return 1
    asyncio.run(_serve(key, listening, options))
    return 0


async def _serve(key: str, listening: socket.socket, options: argparse.Namespace) -> None:
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    models = LanguageModels(
        OpenVinoEngine(threads=options.threads), most_bytes=options.memory_mb * 1_000_000
    )
    await serve(models, key, listening, stopping, options.rest_after)


def _number(variable: str, default: int) -> int:
    """Raises SystemExit with one line for what is no whole number from 1 on."""
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise SystemExit(f"{variable} is {text}: give a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
