"""A real browser at the console: a page that writes an error to its console fails its test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

_AXE = Path(__file__).parent / "clients/node/node_modules/axe-core/axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_SECONDS = 20


@dataclass
class Tab:
    """One page. `expected` are beginnings of errors that a test provokes on purpose."""

    page: Page
    expected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Errors are remembered from now on."""
        self.page.on("console", self._on_message)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def violations(self) -> list[str]:
        """Of the rules of WCAG 2.2, levels A and AA, as far as a program can tell."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: Any = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules}).then(result => result.violations"
            ".map(one => `${one.id}: ${one.help}: ${one.nodes.map(each => each.target)}`))",
            _RULES,
        )
        return list(found)

    def picture(self, name: str) -> None:
        """For the docs, where GYRE_SCREENSHOTS names a folder for it (`make screenshots`)."""
        if folder := os.environ.get("GYRE_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")

    def _on_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(one in message.text for one in self.expected):
            self.problems.append(f"{message.text} ({message.location.get('url')})")


@dataclass(frozen=True)
class Browser:
    """Opens tabs that share nothing."""

    chromium: Chromium

    @contextmanager
    def tab(self, url: str, **options: Any) -> Iterator[Tab]:
        """A tab of its own profile at `url`; no error may stand in its console at the end."""
        context = self.chromium.new_context(base_url=url, reduced_motion="reduce", **options)
        context.set_default_timeout(_SECONDS * 1000)
        tab = Tab(context.new_page())
        tab.listen()
        try:
            tab.page.goto("/")
            yield tab
        finally:
            context.close()
        assert tab.problems == [], tab.problems


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Debian's Chromium; `make setup-clients` installs it."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed: run `make setup-clients`"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()
