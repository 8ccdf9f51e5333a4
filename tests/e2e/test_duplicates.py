"""The same page three times: one passage of it is read, that of the newest that may be read."""

from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TENANT = ("--tenant", "duplicates")
QUESTION = "Who agrees to holidays?"
PAGE = """# Handbook

Whoever is ill calls the office before the day begins, and sends the note of a doctor later.
Holidays are asked for in the calendar, and the head of the team agrees to them. Whoever works at
home tells the others in the morning, and can be reached by telephone while the office is open.
"""


def submit(system: System, folder: Path, text: str, *groups: str) -> None:
    folder.mkdir()
    (folder / "handbook.md").write_text(text)
    acl = [each for group in groups for each in ("--acl", group)]
    system.json("submit", str(folder), *acl, *TENANT)


def passages(system: System, *groups: str) -> list[str]:
    acl = [each for group in groups for each in ("--acl", group)]
    answer: dict[str, Any] = system.json("ask", QUESTION, *acl, *TENANT)
    assert "the head of the team agrees" in answer["answer"]
    return [each["document_id"] for each in answer["passages"]]


async def test_of_three_near_identical_documents_the_newest_readable_one_is_shown(
    system: System, tmp_path: Path
) -> None:
    submit(system, tmp_path / "first", PAGE)
    submit(system, tmp_path / "second", PAGE.replace("in the morning", "as soon as they can"))
    submit(system, tmp_path / "third", f"{PAGE}\nAll of this holds for guests too.\n", "staff")

    assert passages(system) == ["second/handbook.md"]
    assert passages(system, "staff") == ["third/handbook.md"]

    def duplicates(*acl: str) -> list[tuple[str, bool]]:
        shown = system.json("documents", "show", "first/handbook.md", *acl, *TENANT)
        return [(each["document_id"], each["newer"]) for each in shown["duplicates"]]

    assert duplicates() == [("second/handbook.md", True)]
    assert len(duplicates("--acl", "staff")) == 2
    listed = system.json("documents", "list", *TENANT)
    assert [len(each["duplicates"]) for each in listed] == [1, 1]

    system.json("delete", "second/handbook.md", *TENANT)

    async def first_is_shown() -> bool:
        return passages(system) == ["first/handbook.md"]

    await eventually(first_is_shown, timeout=30)
    assert duplicates() == []
