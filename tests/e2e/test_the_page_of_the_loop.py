"""The console's page Loop in a real browser: what is live is changed there, and a training led."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser import Tab
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_release_is_taken_back_and_made_live_again(tab: Tab, demo: Any, system: System) -> None:
    page, version, base = tab.page, demo["run"]["version"], demo["run"]["base"]
    here = ("--tenant", demo["tenant"])
    system.gyre("promote", "query-encoder", version, *here)  # wherever other tests left it
    page.get_by_role("button", name="Who you are").click()
    page.get_by_role("textbox", name="Tenant").fill(demo["tenant"])
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("link", name="Loop", exact=True).click()
    expect(page.get_by_role("group", name="From votes to what is live")).to_contain_text(version)
    assert tab.violations() == []
    tab.picture("loop")
    page.get_by_role("link", name="query-encoder").first.click()
    page.get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Go back to {base}?")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text(f"{base} is live again.")).to_be_visible(timeout=60_000)
    assert system.json("releases", "query-encoder", *here)[0]["live"] == base
    page.get_by_role("button", name=re.compile(f"{version}.*live|live.*{version}")).click()
    dialog.get_by_role("button", name="Make live").click()
    expect(page.get_by_text(f"{version} is live.")).to_be_visible(timeout=60_000)
    assert system.json("releases", "query-encoder", *here)[0]["live"] == version
