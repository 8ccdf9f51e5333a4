"""The console's charts, and the records that could not be handled, in a real browser."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from gyre_common.events.documents import DOCUMENT_SUBMITTED
from gyre_common.events.event import Event
from gyre_common.events.interactions import Outcome
from playwright.sync_api import Locator, expect

from tests.browser import Browser, Tab, beside_the_browser
from tests.builders import a_document_indexed, a_feedback, a_verdict, an_interaction
from tests.history import record
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAIT = "<img src=x onerror=\"document.title='caught'\">"
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
DAY = NOON - timedelta(days=2)
"""On which most was asked."""


def some_days(tenant: str) -> Iterator[Event]:
    """Three answers on one day, one of them disliked, and the day before one that was declined."""
    for number in range(3):
        about = {"tenant": tenant, "interaction_id": uuid4()}
        at = DAY + timedelta(minutes=number)
        yield an_interaction(**about, question=f"Question {number}?", completed_at=at)
        yield a_verdict(**about)
        value = "up" if number else "down"
        yield a_feedback(**about, feedback_id=uuid4(), value=value, received_at=at)
    yield an_interaction(
        tenant=tenant,
        interaction_id=uuid4(),
        question="Question 3?",
        outcome=Outcome.ABSTAINED,
        completed_at=DAY - timedelta(days=1),
    )
    yield a_document_indexed(
        tenant=tenant, submitted_at=DAY, searchable_at=DAY + timedelta(seconds=2)
    )


@pytest.fixture
def tenant(system: System) -> str:
    """One in which something was asked on two days."""
    tenant = f"drawn-{uuid4().hex[:6]}"
    beside_the_browser(record(system, some_days(tenant)))
    return tenant


@pytest.fixture
def charts(tab: Tab, tenant: str) -> Tab:
    """The charts of that tenant."""
    tab.act_for(tenant)
    tab.page.goto("/charts")
    return tab


def chart(tab: Tab, title: str) -> Locator:
    return tab.page.get_by_role("figure", name=title, exact=True)


def reads(tab: Tab, title: str, name: str) -> Locator:
    """What the legend says of a series."""
    return chart(tab, title).get_by_role("listitem").filter(has_text=name).locator("strong")


def test_charts_draw_the_figures_of_the_views(charts: Tab) -> None:
    for title, name, value in (
        ("What became of questions", "Answered", "3"),
        ("What became of questions", "Declined", "1"),
        ("Thumbs", "Up", "2"),
        ("Thumbs", "Down", "1"),
        ("What the judge says", "To the point", "80 %"),
        ("Share of thumbs up", "Up", "66.7 %"),
        ("Time for an answer", "Half within", "45 ms"),
        ("Time until a document is found", "Half within", "2 s"),
        ("Tokens", "Read", "96"),
        ("Share of thumbs up, by day and version", "minilm-l6-v2", "66.7 %"),
    ):
        expect(reads(charts, title, name)).to_have_text(value)
    page = charts.page
    versions = page.get_by_role("region", name="Versions beside one another").last
    expect(versions.get_by_role("row", name=re.compile("minilm-l6-v2"))).to_contain_text("25 %")
    services = page.get_by_role("region", name="Services").last
    expect(services.get_by_role("row", name=re.compile("telemetry"))).to_contain_text("Running")
    page.get_by_role("combobox", name="Stage").first.select_option(label="Finding passages")
    expect(reads(charts, "Time for an answer", "Half within")).to_have_text("30 ms")
    page.get_by_text("7 days", exact=True).click()
    expect(page).to_have_url(re.compile("days=7"))
    expect(reads(charts, "What became of questions", "Answered")).to_have_text("3")


def test_a_chart_leads_to_the_rows_behind_it(charts: Tab) -> None:
    page, rows = charts.page, charts.page.get_by_role("list", name="Interactions")
    drawn = chart(charts, "What became of questions")
    drawn.get_by_role("button", name="as a table").click()
    day = f"{DAY.day} {DAY:%B %Y}"
    link = page.get_by_role("link", name=day, exact=True)
    cells = drawn.get_by_role("row").filter(has=link).get_by_role("cell")
    expect(cells).to_have_text(["3", "0"])
    link.click()
    expect(rows.get_by_role("listitem")).to_contain_text([f"Question {n}?" for n in (2, 1, 0)])
    page.go_back()
    chart(charts, "Thumbs").get_by_role("link", name="Answers voted down").click()
    expect(rows.get_by_role("listitem")).to_contain_text(["Question 0?"])
    page.go_back()
    slider = chart(charts, "What became of questions").get_by_role("slider")
    slider.press("End")
    for _ in range(3):
        slider.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("Answered 0, Declined 1"))
    chart(charts, "What became of questions").get_by_role("link", name="Answers behind").click()
    expect(rows.get_by_role("listitem")).to_contain_text(["Question 3?"])


async def produce(system: System, value: bytes) -> None:
    producer: Any = AIOKafkaProducer(bootstrap_servers=system.ports.kafka_servers)
    async with producer:
        await producer.send_and_wait(DOCUMENT_SUBMITTED.name, value, key=b"nobody/bait")


@pytest.fixture(scope="module")
def dead_letter(system: System) -> None:
    """A record that nobody can handle."""
    beside_the_browser(produce(system, f"{BAIT} is no JSON".encode()))


def test_a_record_that_could_not_be_handled_is_shown_as_text(
    charts: Tab, dead_letter: None
) -> None:
    page = charts.page
    page.get_by_role("link", name=DOCUMENT_SUBMITTED.name).click()
    expect(page.get_by_role("heading", level=1, name=DOCUMENT_SUBMITTED.name)).to_be_visible()
    letter = page.get_by_role("article").filter(has_text="nobody/bait").first
    expect(letter).to_contain_text("Can never work")
    expect(letter.get_by_role("region", name="The record")).to_have_text(f"{BAIT} is no JSON")
    assert page.locator("img").count() == 0
    assert page.title() != "caught"


def test_a_record_is_left_for_good_for_a_reason(system: System, charts: Tab) -> None:
    beside_the_browser(produce(system, b"a slip"))
    charts.page.goto(f"/dead-letters/{DOCUMENT_SUBMITTED.dlq}")
    letter = charts.page.get_by_role("article").filter(has_text="a slip")
    letter.get_by_role("button", name="Leave it").click()
    dialog = charts.page.get_by_role("dialog")
    dialog.get_by_label("Why").fill("nobody misses it")
    dialog.get_by_role("button", name="Leave it").click()
    expect(letter).to_have_count(0)
    charts.page.get_by_label("Also those that were seen to").check()
    expect(letter).to_contain_text("nobody misses it")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_dead_letters_are_read_by_everybody(
    browser: Browser, url: str, tenant: str, dead_letter: None, scheme: str
) -> None:
    viewport = {"width": 360, "height": 800}
    with browser.tab(url, viewport=viewport, color_scheme=scheme) as tab:
        tab.act_for(tenant)
        tab.page.goto("/charts")
        expect(reads(tab, "Tokens", "Read")).to_have_text("96")
        dead = tab.page.get_by_role("link", name=DOCUMENT_SUBMITTED.name)
        expect(dead).to_be_visible()
        tab.is_read_by_everybody()
        dead.click()
        expect(tab.page.get_by_role("article").first).to_be_visible()
        tab.is_read_by_everybody()
