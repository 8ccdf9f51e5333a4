"""A disk that is full, read-only, or gives up in the middle of a write."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

REFUSALS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT)
"""What a system says of a disk that takes nothing."""

NEW_FILE = "gyre_common.store.tempfile.mkstemp"
WRITTEN = "gyre_common.store.os.fsync"
"""Where a write to the store begins, and where it has to be safe."""


@contextmanager
def failing(call: str, number: int = errno.ENOSPC) -> Iterator[None]:
    """Within, this call fails as the system would fail it."""

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(call, fail)
        yield
