"""A real browser at the console: a page that writes an error to its console fails its test."""

import asyncio
import os
import shutil
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

T = TypeVar("T")

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

    def act_for(self, tenant: str) -> None:
        """From the next page on, as the dialog *Who you are* does it."""
        reply = self.page.request.put(
            "/session", data={"tenant": tenant, "groups": []}, headers={"gyre-console": "1"}
        )
        assert reply.ok, reply.text()

    def ask(self, question: str) -> None:
        """Types the question, and waits for its whole answer."""
        answers = self.page.get_by_role("group", name="This answer")
        before = answers.count()
        self.page.get_by_role("textbox", name="Question").fill(question)
        self.page.keyboard.press("Enter")
        expect(answers).to_have_count(before + 1)

    def is_read_by_everybody(self) -> None:
        """No rule of accessibility is broken, and nothing stands beyond the edge."""
        assert self.violations() == []
        beyond = self.page.evaluate(
            "Math.max(...[...document.querySelectorAll('html, main')].map(one => one.scrollWidth))"
            " - innerWidth"
        )
        assert beyond <= 0

    def violations(self) -> list[str]:
        """Of the rules of WCAG 2.2, levels A and AA, as far as a program can tell."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        violations: Any = self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules}).then(result => result.violations"
            ".map(one => `${one.id}: ${one.help}: ${one.nodes.map(each => each.target)}`))",
            _RULES,
        )
        return list(violations)

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
            # Until then its first reply would take back what the test says of who acts.
            with tab.page.expect_response("**/session"):
                tab.page.goto("/")
            yield tab
        finally:
            context.close()
        assert tab.problems == [], tab.problems


def program() -> str:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "chromium is not installed: run `make setup-clients`"
    return path


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Closed at the end."""
    expect.set_options(timeout=_SECONDS * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()


def beside_the_browser(work: Coroutine[Any, Any, T]) -> T:
    """What it returns: in a thread of its own, as the browser's event loop runs in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
