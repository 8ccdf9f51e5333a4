"""The index is filled anew beside the live one, swapped and rolled back."""

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TENANT = ("--tenant", "rebuilt")


def documents_read(system: System, question: str) -> set[str]:
    answer = system.json("ask", question, *TENANT)
    return {each["document_id"] for each in answer["passages"]}


async def test_an_index_is_filled_anew_swapped_and_rolled_back(
    system: System, tmp_path: Path
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(12):
        text = f"# Pump {number}\n\nPump {number} opens at {number} bar.\n\nIt is painted green."
        (folder / f"{number}.md").write_text(text)
    system.json("submit", str(folder), *TENANT)
    system.json("delete", "notes/3.md", *TENANT)
    live = system.json("index", "status")["live"]
    refused = system.gyre("index", "drop", check=False)
    assert "no index is filled beside the live one" in refused.stderr

    done = system.json("index", "rebuild")

    assert (done["before"], done["live"]) == (live, True)
    assert done["documents"] >= 11
    status = system.json("index", "status")
    assert (status["live"], status["shadow"], status["rebuild"]) == (done["index"], live, "filled")
    read = documents_read(system, "At how many bar does pump 7 open?")
    assert "notes/7.md" in read
    assert "notes/3.md" not in documents_read(system, "At how many bar does pump 3 open?")

    (folder / "7.md").write_text("# Pump 7\n\nPump 7 was sold.")
    (folder / "3.md").unlink()
    (folder / "5.md").unlink()
    system.json("submit", str(folder), "--mirror", *TENANT)
    system.json("rollback", "document-encoder")
    assert system.json("index", "status")["live"] == live

    async def is_in_step() -> bool:  # the shadow comes a moment behind the live index
        answer = system.json("ask", "What happened to pump 7?", *TENANT)
        gone = documents_read(system, "At how many bar does pump 5 open?")
        return "sold" in answer["answer"] and "notes/5.md" not in gone

    await eventually(is_in_step, timeout=60)
