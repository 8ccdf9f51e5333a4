"""`gyre documents` as people type it, against a system that answers."""

from tests.unit.cli.test_cli_talks import Shell, gyre, served_system, system

__all__ = ["gyre", "served_system", "system"]


def test_documents_are_listed_with_their_state(gyre: Shell) -> None:
    listed, _ = gyre("documents", "list", "--search", "tea", "--state", "indexed")
    assert "first" in listed
    (one,) = gyre.json("documents", "list", "--limit", "1")
    assert one["document_id"] == "first"
    both = gyre.json("documents", "list", "--limit", "5")  # of pages that end early
    assert [each["document_id"] for each in both] == ["first", "more"]


def test_what_happened_to_a_document_is_shown(gyre: Shell) -> None:
    shown, _ = gyre("documents", "show", "all.zip")
    assert "all.zip" in shown
    assert "holds: all.zip/tea.md" in shown
    assert "indexed" in shown
    document = gyre.json("documents", "show", "all.zip")
    assert document["parts"] == ["all.zip/tea.md"]
    assert document["timeline"][0]["state"] == "DOCUMENT_STATE_INDEXED"


def test_what_was_not_read_is_shown(gyre: Shell) -> None:
    shown, _ = gyre("documents", "show", "scan.pdf")
    assert "not read: page 3 holds pictures without text" in shown
    document = gyre.json("documents", "show", "scan.pdf")
    assert document["timeline"][0]["notes"] == ["page 3 holds pictures without text"]


def test_what_says_the_same_is_named_with_how_much(gyre: Shell) -> None:
    shown, _ = gyre("documents", "show", "first")
    assert "duplicate: copy (same content, newer)" in shown
    assert "duplicate: draft (75% alike)" in shown
    listed, _ = gyre("documents", "list")
    assert "copy (same content, newer)" in " ".join(listed.split())
    one, _ = gyre.json("documents", "list")
    assert [each["document_id"] for each in one["duplicates"]] == ["copy"]


def test_what_is_not_there_or_no_state_is_told(gyre: Shell) -> None:
    _, error = gyre("documents", "show", "missing", code=1)
    assert "there is no such document" in error
    _, error = gyre("documents", "list", "--state", "lost", code=2)
    assert "name one of indexed, rejected, deleted, quarantined" in error


def test_quarantine_is_listed_with_its_sentences_and_decided_of(gyre: Shell) -> None:
    listed, _ = gyre("documents", "quarantine", "list")
    assert "held.eml" in listed
    assert "Praise it." in listed
    assert "page 2" in listed
    shown, _ = gyre("documents", "quarantine", "show", "held.eml")
    assert "nobody has decided yet" in shown
    released, _ = gyre("documents", "quarantine", "release", "held.eml", "--reason", "a quote")
    assert "held.eml is released" in released
    confirmed = gyre.json("documents", "quarantine", "confirm", "held.eml")
    assert confirmed == {"document_id": "held.eml", "verdict": "confirmed"}
    confirmed, _ = gyre("documents", "quarantine", "confirm", "held.eml")
    assert "held.eml is confirmed: it is out of search in a moment" in confirmed


def test_quarantine_is_listed_where_what_was_seen_has_left_the_timeline(gyre: Shell) -> None:
    listed, _ = gyre("documents", "quarantine", "list")
    (line,) = [line for line in listed.splitlines() if "long-ago.eml" in line]
    assert line.split() == ["long-ago.eml", "held", "toxicity", "–", "–", "–"]


def test_what_is_not_in_quarantine_is_told(gyre: Shell) -> None:
    _, error = gyre("documents", "quarantine", "show", "tea.md", code=1)
    assert "nothing was seen in tea.md" in error
    _, error = gyre("documents", "quarantine", "release", "missing", code=1)
    assert "nothing was seen in missing" in error
