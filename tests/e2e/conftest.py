"""What several tests of the whole system share: a loop that was gone through, and a browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import Browser, a_browser
from tests.system import System


@pytest.fixture(scope="session")
def demo(system: System) -> Any:
    """What `gyre demo --short` found; it leaves the trained version live in its own tenant."""
    done = system.gyre("demo", "--short", "--json", seconds=800)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, for modules without asynchronous tests: while it is open its own event loop
    runs in this thread.
    """
    with a_browser() as browser:
        yield browser
