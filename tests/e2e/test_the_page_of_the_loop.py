"""The console's page Loop in a real browser: what is live is changed there, and a training led."""

import re
import time
from typing import Any

import pytest
from gyre_trainer.recipes import RECIPES
from playwright.sync_api import Page, expect

from tests.browser import Tab
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROLLBACK_SECONDS = 10.0


def test_a_release_is_taken_back_and_made_live_again(tab: Tab, demo: Any, system: System) -> None:
    page, version, base = tab.page, demo["run"]["version"], demo["run"]["base"]
    here = ("--tenant", demo["tenant"])
    system.gyre("promote", "query-encoder", version, *here)  # wherever other tests left it
    page.get_by_role("button", name="Who you are").click()
    page.get_by_role("textbox", name="Tenant").fill(demo["tenant"])
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("link", name="Loop", exact=True).click()
    picture = page.get_by_role("group", name="From what people say to what is live")
    expect(picture).to_contain_text(version)
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


def test_a_training_is_asked_for_once_holds_up_no_rollback_is_stopped_and_goes_on(
    tab: Tab, demo: Any, system: System
) -> None:
    page = tab.page
    tab.act_for(demo["tenant"])
    page.goto("/loop")
    page.get_by_role("button", name="Train on what people said").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("the new version sits an exam")
    learner = dialog.get_by_label("What learns")
    learner.select_option(label="Answering, from corrections")
    expect(dialog).to_contain_text("every correction and liked answer so far")
    offered = learner.locator("option").evaluate_all("options => options.map(one => one.value)")
    assert set(offered) <= RECIPES.keys()
    learner.select_option(label="Answering, from thumbs")
    expect(dialog).to_contain_text("people liked, disliked or corrected")
    learner.select_option(label="Finding passages, from votes")
    dialog.get_by_role("checkbox", name="Do not make it live by itself").check()
    dialog.get_by_role("checkbox", name="Make do with few votes or corrections").check()
    settings = dialog.get_by_role("textbox", name="Settings")
    settings.fill("epochs")
    expect(dialog.get_by_text("“epochs” is no setting")).to_be_visible()
    tab.expected.append("the server responded with a status of 400")  # of the next
    settings.fill("epochs=none")
    dialog.get_by_role("button", name="Train on what people said").click()
    expect(dialog.get_by_role("alert")).to_contain_text("epochs")
    settings.fill("epochs=9")
    dialog.get_by_role("button", name="Train on what people said").click()
    page.wait_for_url("**/runs/*")
    run_id = page.url.rpartition("/")[2]
    try:
        expect(page.get_by_text("The training has begun.")).to_be_visible()
        stage = page.locator("[aria-current=step]")
        expect(stage).to_contain_text("Prepare", timeout=60_000)  # a program is started for it
        expect(stage).to_contain_text("Learn", timeout=180_000)
        expect(page.get_by_text("epochs=9")).to_be_visible()
        assert_it_goes_step_by_step(page)
        loss = page.get_by_role("figure", name="How wrong it still is")
        expect(loss.get_by_role("listitem").first).to_contain_text(re.compile(r"\d\.\d"))
        assert_rolled_back_at_once(system, demo)
        page.get_by_role("link", name="All trainings").click()
        expect(page.get_by_role("button", name="Train on what people said")).to_be_disabled()
        expect(page.get_by_text("A training is running.")).to_be_visible()
        picture = page.get_by_role("group", name="From what people say to what is live")
        picture.get_by_role("link", name="Training", exact=True).click()
        page.get_by_role("button", name="Stop this training").click()
        expect(dialog).to_contain_text("nothing goes live")
        dialog.get_by_role("button", name="Stop this training").click()
        expect(page.get_by_text("The training was stopped.")).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()
        page.get_by_role("button", name="Go on", exact=True).click()
        dialog.get_by_role("button", name="Go on", exact=True).click()
        expect(page.get_by_text("The training goes on.")).to_be_visible()
        expect(stage).to_contain_text("Learn")  # nothing is prepared again
        assert_it_goes_step_by_step(page)
    finally:
        system.gyre("runs", run_id, "--cancel", "--tenant", demo["tenant"], check=False)


def assert_it_goes_step_by_step(page: Page) -> None:
    first = page.get_by_text(re.compile(r"^Step [\d,]+ of")).inner_text(timeout=180_000)
    expect(page.get_by_text(first)).to_be_hidden(timeout=60_000)


def assert_rolled_back_at_once(system: System, demo: Any) -> None:
    """While a training runs, which it does not touch."""
    here = ("--tenant", demo["tenant"])
    began = time.monotonic()
    change = system.json("rollback", "query-encoder", *here)
    assert time.monotonic() - began < ROLLBACK_SECONDS
    assert change["live"] == demo["run"]["base"]
    [running] = [run for run in system.json("runs", *here) if run["state"] == "running"]
    assert running["run_id"] != demo["run"]["run_id"]
