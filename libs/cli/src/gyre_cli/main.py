"""The entry point of `gyre`.

Importing the commands takes a second, and Ctrl-C works from the first moment: so this file imports
next to nothing before `main` has seen to the signals.
"""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line: exit status 0, 1 for a failure, 2 for wrong usage, 130 for Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an early Ctrl-C ends it without a word
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC writes to stderr on its own account
    from gyre_cli.application import guarded, run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(guarded(run))


if __name__ == "__main__":
    main()
