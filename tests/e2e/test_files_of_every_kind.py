"""A folder of files goes in, each has its fate, and an answer names the page it rests on."""

import json

import pytest

from tests.files import EVERY_KIND, a_pdf
from tests.system import System

TENANT = ("--tenant", "files")


def test_a_folder_of_files_goes_in_and_an_answer_names_its_page(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("papers")
    for name, made in EVERY_KIND.items():
        (folder / name).write_bytes(made())
    (folder / "handbook.pdf").write_bytes(
        a_pdf(
            ["Holidays", "Each employee has thirty days of holiday a year."],
            ["Expenses", "A dinner with customers is paid up to forty euros a person."],
        )
    )
    (folder / "broken.pdf").write_bytes(a_pdf(["Tea", "Hot."])[:500])
    (folder / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\0")

    done = system.gyre("submit", str(folder), *TENANT, "--json", check=False)

    report = json.loads(done.stdout)
    assert report["indexed"] == len(EVERY_KIND) + 1
    assert [each["code"] for each in report["rejected"]] == ["corrupt"]
    assert "photo.png: not a document by its ending" in done.stderr
    answer = system.json("ask", "What is paid for a dinner with customers?", *TENANT)
    (citation,) = answer["citations"]
    assert (citation["position"], citation["document_id"]) == (
        "page 2",
        f"{folder.name}/handbook.pdf",
    )
    interaction = system.json("explain", answer["interaction_id"], *TENANT)
    assert interaction["retrieved"][0]["position"] == "page 2"


def test_what_is_gone_from_a_folder_goes_and_what_is_deleted_is_not_found(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mirror")
    for name in ("north", "south"):
        (folder / f"{name}.md").write_text(f"# Locks\n\nThe {name} lock closes at nine.\n")
    system.gyre("submit", str(folder), *TENANT)
    empty = tmp_path_factory.mktemp("empty")
    refused = system.gyre("submit", str(folder), str(empty), "--mirror", *TENANT, check=False)
    assert "holds no document, so its mirror would hold none" in refused.stderr

    (folder / "north.md").unlink()
    assert system.json("submit", str(folder), "--mirror", *TENANT)["deleted"] == 1
    answer = system.json("ask", "When does the north lock close?", *TENANT)
    assert f"{folder.name}/north.md" not in {each["document_id"] for each in answer["passages"]}
    gone = system.json("delete", f"{folder.name}/", *TENANT)
    assert (gone["deleted"], gone["indexed"]) == (1, 0)
    again = system.gyre("delete", f"{folder.name}/", *TENANT, check=False)
    assert "there is no document below" in again.stderr
    unknown = system.gyre("delete", "nowhere.md", *TENANT, check=False)
    assert "there is no such document" in unknown.stderr
