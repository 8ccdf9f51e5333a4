"""The console's list of what was asked, and the story of each answer, in a real browser."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from gyre_client import Addresses, Caller, Client
from gyre_common.events.event import Event
from gyre_common.events.interactions import GuardrailResult, InteractionCompleted, Outcome
from playwright.sync_api import Locator, expect

from tests.browser import Browser, Tab, beside_the_browser
from tests.builders import (
    MORNING,
    a_feedback,
    a_retrieved_chunk,
    a_verdict,
    an_interaction,
)
from tests.history import TRACE, record
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAIT = "<img src=x onerror=\"document.title='caught'\">"
GREEN, BRIDGE, BLACK = "How hot should green tea be?", "Who built the bridge?", "And black tea?"
MANY = 10_000


def some_history(tenant: str) -> Iterator[Event]:
    """An answer that was judged and liked, one that was declined and disliked, one that failed."""
    about = {"tenant": tenant, "interaction_id": uuid4()}
    yield an_interaction(
        **about,
        question=GREEN,
        actor="ann",
        retrieved=(
            a_retrieved_chunk(),
            a_retrieved_chunk(
                chunk_id=uuid4(), rank=2, title="Cups", text="A cup.", scores={"dense": 0.4}
            ),
        ),
        guardrails=(GuardrailResult(name="grounding", passed=True, detail="1 of 1 cited"),),
        latency_ms={"retrieve": 30.0, "encode": 9.0, "search": 18.0, "generate": 12.0, "total": 45},
    )
    yield a_verdict(**about)
    yield a_feedback(**about, comment=f"Just so. {BAIT}")
    about = {"tenant": tenant, "interaction_id": uuid4()}
    yield an_interaction(
        **about,
        question=f"{BRIDGE} {BAIT}",
        answer="",
        citations=(),
        retrieved=(),
        outcome=Outcome.ABSTAINED,
        completed_at=MORNING + timedelta(minutes=1),
    )
    yield a_feedback(**about, value="down")
    yield an_interaction(
        tenant=tenant,
        interaction_id=uuid4(),
        question=BLACK,
        answer="",
        citations=(),
        outcome=Outcome.ERROR,
        error="the model's server does not answer",
        completed_at=MORNING + timedelta(minutes=2),
    )


@pytest.fixture
def tenant(system: System) -> str:
    """One in which three questions were asked."""
    tenant = f"asked-{uuid4().hex[:6]}"
    beside_the_browser(record(system, some_history(tenant)))
    return tenant


@pytest.fixture
def listed(tab: Tab, tenant: str) -> Locator:
    """The rows of that tenant's list, which is open."""
    tab.act_for(tenant)
    tab.page.goto("/interactions")
    return rows_of(tab)


def rows_of(tab: Tab) -> Locator:
    return tab.page.get_by_role("list", name="Interactions").get_by_role("listitem")


def test_the_list_shows_what_was_asked_and_filters_narrow_it(tab: Tab, listed: Locator) -> None:
    page = tab.page
    expect(listed).to_contain_text([BLACK, BRIDGE, GREEN])  # the newest first
    expect(listed.nth(0)).to_contain_text("the model's server does not answer")
    expect(listed.nth(1)).to_contain_text("Abstained")
    expect(listed.nth(1)).to_contain_text("<img src=x")
    expect(listed.nth(2)).to_contain_text("Thumbs up")
    for name, choice, left in (
        ("Outcome", "Failed", [BLACK]),
        ("Vote", "Voted down", [BRIDGE]),
        ("Vote", "Without a vote", [BLACK]),
        ("Version", "minilm-l6-v2", [BLACK, BRIDGE, GREEN]),
        ("Time", "Last hour", []),
    ):
        page.get_by_role("combobox", name=name).select_option(label=choice)
        expect(listed).to_contain_text(left)
        expect(listed).to_have_count(len(left))
        page.get_by_role("button", name="Clear filters").first.click()
        expect(listed).to_have_count(3)
    page.get_by_role("searchbox").fill("bridge built")
    expect(listed).to_contain_text([BRIDGE])
    expect(page).to_have_url(re.compile("search=bridge"))
    page.reload()
    expect(listed).to_contain_text([BRIDGE])
    listed.get_by_role("link").click()
    page.get_by_role("main").get_by_role("link", name="Interactions").click()
    expect(listed).to_contain_text([BRIDGE])
    page.get_by_role("searchbox").fill("zebra")
    expect(page.get_by_role("heading", name="No interaction fits")).to_be_visible()
    assert page.title() != "caught"


def test_a_row_opens_to_the_whole_story(tab: Tab, listed: Locator) -> None:
    page = tab.page
    listed.filter(has_text=GREEN).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name=GREEN)).to_be_visible()
    passages = page.locator("[id^=passage-]")
    expect(passages).to_have_count(2)
    expect(passages.nth(0)).to_contain_text(re.compile(r"BM25\s*3\.2\s*\(no\. 1\)"))
    expect(passages.nth(0)).to_contain_text(re.compile(r"Dense\s*0\.81\s*\(no\. 1\)"))
    expect(passages.nth(1)).to_contain_text(re.compile(r"BM25\s*not found"))
    expect(passages.nth(1)).to_contain_text(re.compile(r"Dense\s*0\.4\s*\(no\. 2\)"))
    passages.nth(1).get_by_role("button", name="Cups").click()
    expect(passages.nth(1)).to_contain_text("A cup.")
    for stage, took in (("Retrieve", "30 ms"), ("Search", "18 ms"), ("In all", "45 ms")):
        expect(item(tab, stage)).to_contain_text(took)
    expect(page.get_by_text("1 of 1 sentences")).to_be_visible()
    expect(page.get_by_text("Judged by baseline-1")).to_be_visible()
    expect(item(tab, "Grounding")).to_contain_text("1 of 1 cited")
    expect(item(tab, "Just so.")).to_contain_text("reader-1")
    page.get_by_text("Prompt", exact=True).click()
    expect(page.get_by_text("Answer from the passages.")).to_be_visible()
    expect(page.get_by_text(TRACE)).to_be_visible()
    expect(page.get_by_text("by ann")).to_be_visible()
    assert page.locator("img").count() == 0
    assert page.title() != "caught"


def item(tab: Tab, text: str) -> Locator:
    """Of whatever list of the story."""
    return tab.page.get_by_role("listitem").filter(has_text=text).last


def test_what_is_asked_just_now_appears_by_itself_and_so_does_its_verdict(
    tab: Tab, listed: Locator, tenant: str, system: System
) -> None:
    expect(listed).to_have_count(3)
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    with Client(addresses, Caller(tenant=tenant, actor="ann")) as gyre:
        gyre.answers.ask("Is there any oolong?")
    expect(listed.first).to_contain_text("Is there any oolong?")
    listed.first.get_by_role("link").click()
    expect(tab.page.get_by_text("Judged by")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_list_and_story_are_read_by_everybody(
    browser: Browser, url: str, tenant: str, scheme: str
) -> None:
    viewport = {"width": 360, "height": 800}
    with browser.tab(url, viewport=viewport, color_scheme=scheme) as tab:
        tab.act_for(tenant)
        tab.page.goto("/interactions")
        expect(rows_of(tab)).to_have_count(3)
        tab.is_read_by_everybody()
        rows_of(tab).filter(has_text=GREEN).get_by_role("link").click()
        expect(tab.page.get_by_text("Judged by")).to_be_visible()
        tab.is_read_by_everybody()


def questions(tenant: str, numbers: range) -> Iterator[InteractionCompleted]:
    """One a second."""
    one = an_interaction(tenant=tenant, retrieved=(), citations=())
    for number in numbers:
        yield one.model_copy(
            update={
                "interaction_id": UUID(int=one.interaction_id.int + number),
                "question": f"Question {number}?",
                "completed_at": MORNING + timedelta(seconds=number),
            }
        )


SCROLL_THROUGH = """async count => {
  const pauses = [0], drawn = [];
  new PerformanceObserver(tasks => tasks.getEntries().forEach(task => pauses.push(task.duration)))
    .observe({type: "longtask"});
  const main = document.querySelector("main");
  const rows = () => [...document.querySelectorAll("main li[aria-posinset]")];
  const isLast = row => row?.ariaPosInSet === `${count}` && row.ariaSetSize === `${count}`;
  while (!isLast(rows().at(-1))) {
    main.scrollTop = main.scrollHeight;
    await new Promise(requestAnimationFrame);
    drawn.push(rows().length);
  }
  main.scrollTop = 0;
  while (rows()[0]?.ariaPosInSet !== "1") await new Promise(requestAnimationFrame);
  return {drawn: Math.max(...drawn, rows().length), pause: Math.max(...pauses)};
}"""


def test_ten_thousand_are_scrolled_through_and_few_are_drawn(tab: Tab, system: System) -> None:
    tenant = f"many-{uuid4().hex[:6]}"
    beside_the_browser(record(system, questions(tenant, range(1, MANY + 1))))
    tab.act_for(tenant)
    tab.page.goto("/interactions")
    expect(rows_of(tab).first).to_contain_text(f"Question {MANY}?")
    seen = tab.page.evaluate(SCROLL_THROUGH, MANY)
    assert seen["drawn"] < 100
    sys.stdout.write(f"{MANY:,} rows: the longest pause was {seen['pause']:.0f} ms\n")


def test_who_reads_further_down_keeps_their_place(tab: Tab, system: System) -> None:
    tenant = f"busy-{uuid4().hex[:6]}"
    beside_the_browser(record(system, questions(tenant, range(1, 151))))
    tab.act_for(tenant)
    page = tab.page
    page.goto("/interactions")
    expect(rows_of(tab).first).to_contain_text("Question 150?")
    page.locator("main").evaluate("main => main.scrollTop = 5000")
    read = rows_of(tab).filter(has_text="Question 75?")
    read.scroll_into_view_if_needed()
    beside_the_browser(record(system, questions(tenant, range(151, 301))))  # more than a page
    with page.expect_request("**/v1/interactions?*") as refresh:
        pass
    refresh.value.response()
    expect(read).to_be_in_viewport()
    page.locator("main").evaluate("main => main.scrollTop = 0")
    expect(rows_of(tab).first).to_contain_text("Question 300?")
