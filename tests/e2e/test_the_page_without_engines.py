"""The console while Kafka or ClickHouse is away: what can work works, the rest says why in words,
and all of it goes on by itself.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import Tab, beside_the_browser
from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(300)]

BACK_WITHIN = 60.0
AWAY = "Failed to load resource: the server responded with a status of 503"


@contextmanager
def away(system: System, engine: str) -> Iterator[None]:
    """It has ended, and what is started in its place is held before it answers, until the block
    ends; then everything is ready again.
    """
    before = system.process(engine).identity
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)

    def successor() -> int | None:
        now = system.process(engine).identity
        return now.pid if now and now != before else None

    pid = beside_the_browser(eventually(successor, every=0.01))
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        beside_the_browser(eventually(lambda: system.state().ready, BACK_WITHIN, every=0.2))


def visit(tab: Tab, page: str) -> None:
    """By the navigation: nothing is loaded anew."""
    navigation = tab.page.get_by_role("navigation", name="Main")
    navigation.get_by_role("link", name=page, exact=True).click()


def rows(tab: Tab, name: str) -> Locator:
    return tab.page.get_by_role("list", name=name).get_by_role("listitem")


@pytest.mark.usefixtures("documents")
def test_without_clickhouse_questions_are_answered_and_history_comes_back(
    tab: Tab, system: System
) -> None:
    tab.expected.append(AWAY)
    page = tab.page
    with away(system, "clickhouse"):
        visit(tab, "Charts")
        error = page.get_by_role("alert")
        expect(error).to_contain_text("ClickHouse does not answer")
        expect(error).to_have_count(1)
        expect(page.get_by_text("One service does not answer: telemetry.")).to_be_visible()
        services = page.get_by_role("region", name="Services").last
        expect(services.get_by_role("row", name=re.compile("generator"))).to_contain_text("Running")
        visit(tab, "Loop")
        expect(page.get_by_text("Not known at the moment.").first).to_be_visible()
        expect(page.get_by_role("link", name="query-encoder").first).to_be_visible()
        visit(tab, "Ask")
        tab.ask("How is green tea brewed without ClickHouse?")
        page.get_by_role("button", name="Good answer").click()
        visit(tab, "Interactions")
        expect(error).to_contain_text("ClickHouse does not answer")
    newest = rows(tab, "Interactions").first
    expect(newest).to_contain_text("brewed without ClickHouse?", timeout=60_000)
    expect(newest).to_contain_text("Thumbs up", timeout=60_000)
    expect(page.get_by_text("does not answer")).to_have_count(0)


@pytest.mark.usefixtures("documents")
def test_without_kafka_what_is_there_is_read_and_what_is_asked_waits(
    tab: Tab, system: System, tmp_path: Path
) -> None:
    tab.expected.append(AWAY)
    page = tab.page
    tab.ask("How is black tea brewed?")
    (tmp_path / "late.md").write_text("# Late\n\nThe late tea is brewed at dawn.\n")
    with away(system, "kafka"):
        visit(tab, "Ask")
        page.get_by_role("textbox", name="Question").fill("When is the late tea brewed?")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Kafka")
        visit(tab, "Documents")
        expect(rows(tab, "Documents").filter(has_text="brewing.md")).to_be_visible()
        page.get_by_label("Add files").set_input_files([tmp_path / "late.md"])
        page.get_by_role("dialog").get_by_role("button", name="Add 1 document").click()
        visit(tab, "Interactions")
        expect(rows(tab, "Interactions").first).to_contain_text("tea")
        visit(tab, "Charts")
        expect(page.get_by_role("figure", name="What became of questions")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("Kafka")
    expect(page.get_by_role("alert")).to_have_count(0, timeout=60_000)
    visit(tab, "Documents")
    late = rows(tab, "Documents").filter(has_text="late.md")
    expect(late).to_contain_text("Searchable", timeout=60_000)
    visit(tab, "Ask")
    tab.ask("When is the late tea brewed?")
    expect(page.get_by_text("brewed at dawn").first).to_be_visible()
