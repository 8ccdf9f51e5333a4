"""What several tests of the whole system share: a loop that was gone through, and a browser."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Browser, Tab, a_browser
from tests.system import System

TEA = """# Brewing tea

## Green tea

Green tea is best brewed at 80 degrees Celsius for two minutes. Boiling water makes it bitter.

## Black tea

Black tea wants boiling water and four minutes.
"""


@pytest.fixture(scope="session")
def demo(system: System) -> Any:
    """What `gyre demo --short` found; it leaves the trained version live in its own tenant."""
    done = system.gyre("demo", "--short", "--skip-generator", "--json", seconds=800)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, for modules without asynchronous tests: while it is open its own event loop
    runs in this thread.
    """
    with a_browser() as browser:
        yield browser


@pytest.fixture
def url(system: System) -> str:
    """Of the console."""
    return f"http://127.0.0.1:{system.ports.http}"


@pytest.fixture
def tab(browser: Browser, url: str) -> Iterator[Tab]:
    """One page of the console, whose errors fail the test."""
    with browser.tab(url) as tab:
        yield tab


@pytest.fixture(scope="session")
def tea(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about tea, to be added."""
    page = tmp_path_factory.mktemp("documents") / "brewing.md"
    page.write_text(TEA)
    return page


@pytest.fixture(scope="session")
def documents(system: System, tea: Path) -> None:
    """A page about tea, searchable."""
    system.gyre("submit", str(tea))
