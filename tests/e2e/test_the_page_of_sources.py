"""The console's sources, in a real browser: added, synced, paused, removed, and what went wrong."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser import Browser, Tab
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BAIT = "<img src=x onerror=\"document.title='caught'\">"


def add_folder(tab: Tab, name: str, path: str) -> None:
    page = tab.page
    page.get_by_role("button", name="Add a source").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("folder")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("path").fill(path)
    dialog.get_by_label("Schedule").fill("0 3 * * *")
    dialog.get_by_role("button", name="Add a source").click()


def test_a_folder_is_added_synced_paused_and_removed(tab: Tab, system: System) -> None:
    tab.expected.append("the server responded with a status of 400")  # of the path that is refused
    page, tenant = tab.page, f"page-{uuid4().hex[:6]}"
    folder = system.content / tenant
    folder.mkdir()
    (folder / "tea.md").write_text("# Tea\n\nGreen tea: 80 degrees.\n")
    (folder / "empty.md").write_text(" ")
    tab.act_for(tenant)
    page.goto("/sources")
    expect(page.get_by_text("There are no sources yet")).to_be_visible()
    tab.is_read_by_everybody()

    add_folder(tab, "handbook", "/etc")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("GYRE_ALLOWED_CONTENT_ROOTS").last).to_be_visible()
    tab.is_read_by_everybody()
    dialog.get_by_label("path").fill(str(folder))
    dialog.get_by_role("button", name="Add a source").click()
    row = page.get_by_role("row", name="handbook")
    expect(row.get_by_text("Synced")).to_be_visible(timeout=60_000)
    expect(row).to_contain_text("1 added, 1 refused")
    row.get_by_text("1 item not taken").click()
    expect(row).to_contain_text("empty.md")
    expect(row).to_contain_text("0 3 * * *")
    tab.is_read_by_everybody()

    (folder / "ice.md").write_text(f"# Ice {BAIT}\n\nIt is cold.\n")
    row.get_by_role("button", name="Sync handbook now").click()
    expect(row.get_by_role("cell").nth(1)).to_have_text("2", timeout=60_000)
    row.get_by_role("button", name="Pause handbook").click()
    expect(row.get_by_text("Paused", exact=True)).to_be_visible()
    row.get_by_role("button", name="Resume handbook").click()
    expect(row.get_by_text("Synced")).to_be_visible(timeout=60_000)

    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()
    row.get_by_role("button", name="Sync handbook now").click()
    expect(row.get_by_text("Failed")).to_be_visible(timeout=60_000)
    tab.is_read_by_everybody()

    row.get_by_role("button", name="Remove handbook").click()
    expect(dialog).to_contain_text("its 2 documents are deleted")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("There are no sources yet")).to_be_visible(timeout=60_000)
    assert "caught" not in page.title()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_read_by_everybody(
    browser: Browser, url: str, system: System, scheme: str, width: int
) -> None:
    tenant = f"looks-{scheme}-{width}"
    path = system.content / "a-folder-with-a-long-name-that-is-not-there" / ("deep-" * 12)
    system.gyre(
        "sources", "add", "nowhere", "folder", "--set", f"path={path}", "--tenant", tenant,
        check=False,
    )  # fmt: skip
    viewport = {"width": width, "height": 800}
    with browser.tab(url, viewport=viewport, color_scheme=scheme) as tab:
        tab.act_for(tenant)
        tab.page.goto("/sources")
        expect(tab.page.get_by_text("Failed")).to_be_visible()
        tab.is_read_by_everybody()
        tab.page.get_by_role("button", name="Add a source").click()
        tab.page.get_by_label("Kind").select_option("imap")
        expect(tab.page.get_by_text("Write no password or token here")).to_be_visible()
        tab.is_read_by_everybody()
