"""`python -m gyre_local.clickhouse_endpoint --data DIR --port N`: ClickHouse on this machine."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import aiohttp.web  # noqa: F401 - before the confinement: it reads the system's media types

from gyre_local.clickhouse_endpoint.accounts import Account
from gyre_local.clickhouse_endpoint.confinement import confine
from gyre_local.secrets import Secret

ANALYST_PASSWORD = "GYRE_CLICKHOUSE_ANALYST_PASSWORD"  # noqa: S105 - a variable's name

log = logging.getLogger("gyre_local.clickhouse_endpoint")


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 with one line on stderr where that cannot begin."""
    parser = argparse.ArgumentParser(
        prog="python -m gyre_local.clickhouse_endpoint", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="folder for tables and metadata")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--password-file", type=Path, required=True, help="of user `default`")
    levels = ["debug", "info", "warning", "error"]
    parser.add_argument("--log-level", default="info", choices=levels)
    options = parser.parse_args()
    logging.basicConfig(
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    folder = options.data.absolute()
    try:
        passwords = {
            Account.DEFAULT: Secret(options.password_file).read(),
            Account.ANALYST: os.environ.pop(ANALYST_PASSWORD, ""),
        }
        spool = folder / "spool"
        shutil.rmtree(spool, ignore_errors=True)  # what a killed process has left
        for name in ("data", "files", "spool"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # Within reach of what comes, its temporary files too. chdb shows the files of the working
        # folder as tables and takes a config.xml there for its own.
        os.environ["TMPDIR"] = tempfile.tempdir = str(spool)
        os.chdir(folder / "files")
        if not confine(folder, options.port):
            log.warning("this system cannot confine a process: the engine's grants must do")
    except OSError as error:
        sys.stderr.write(f"ClickHouse cannot start: {error}\n")
        return 1
    # Not before: the engine's library starts threads, which would not be confined.
    from gyre_local.clickhouse_endpoint.server import serve

    return serve(folder, passwords, options.port)


if __name__ == "__main__":
    sys.exit(main())
