"""`gyre sources` as people type it, against a system that answers."""

from tests.unit.cli.test_cli_talks import Shell, gyre, served_system, system
from tests.unit.client.fake_system import FakeSystem

__all__ = ["gyre", "served_system", "system"]


def test_a_source_is_added_and_its_sync_is_waited_for(gyre: Shell, system: FakeSystem) -> None:
    out, _ = gyre("sources", "add", "docs", "folder", "--set", "path=/srv/docs", "--acl", "staff")
    assert "docs: 2 added, 1 refused; 2 documents" in out
    assert "b.md" in out
    assert system.sources["docs"].source.settings == {"path": "/srv/docs"}
    listed, _ = gyre("sources", "list")
    assert "docs" in listed
    assert "synced" in listed
    (one,) = gyre.json("sources", "list")
    assert (one["state"], one["last_sync"]["added"], one["source"]["acl"]) == (
        "synced",
        2,
        ["staff"],
    )


def test_groups_and_schedule_stay_unless_they_are_given(gyre: Shell, system: FakeSystem) -> None:
    def add(*words: str) -> tuple[list[str], str]:
        gyre("sources", "add", "kept-groups", "folder", "--no-wait", *words)
        source = system.sources["kept-groups"].source
        return list(source.acl), source.schedule

    assert add("--acl", "staff", "--schedule", "0 3 * * *") == (["staff"], "0 3 * * *")
    assert add("--set", "path=/srv/other") == (["staff"], "0 3 * * *")
    assert add("--acl", "board") == (["board"], "0 3 * * *")
    assert add("--acl", "", "--schedule", "") == ([], "")


def test_a_sync_that_fails_is_told_with_its_reason_and_status(
    gyre: Shell, system: FakeSystem
) -> None:
    gyre("sources", "add", "docs", "folder", "--no-wait")
    gyre("sources", "list")
    system.error = "the folder is gone: bring it back"
    try:
        out, _ = gyre("sources", "sync", "docs", code=1)
    finally:
        system.error = ""
    assert "failed: the folder is gone: bring it back" in out


def test_a_source_is_paused_resumed_and_removed(gyre: Shell) -> None:
    gyre("sources", "add", "docs", "folder")
    assert "docs is paused" in gyre("sources", "pause", "docs")[0]
    assert "is paused" in gyre("sources", "sync", "docs", code=1)[1]
    gyre("sources", "resume", "docs")
    gyre("sources", "list")
    assert "docs is removed: its 2 documents go with it" in gyre("sources", "remove", "docs")[0]
    assert "there is no source 'docs'" in gyre("sources", "remove", "docs", code=1)[1]


def test_the_kinds_say_what_they_want_to_be_told(gyre: Shell) -> None:
    assert "(required)" in gyre("sources", "kinds")[0]
    assert "write NAME=VALUE" in gyre("sources", "add", "a", "folder", "--set", "path", code=2)[1]
