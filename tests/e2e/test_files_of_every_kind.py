"""A folder of files goes in, each has its fate, and an answer names the page it rests on."""

import json

import pytest

from tests.files import EVERY_KIND, a_mail_with, a_pdf, a_zip
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
    assert report["parts"] == 1  # what is attached to the mail
    assert report["indexed"] == len(EVERY_KIND) + 1 + report["parts"]
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


def test_what_an_archive_and_a_mail_hold_comes_and_goes_with_them(
    system: System, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    report = a_pdf(["Ferry"], ["Fares", "The ferry to the island costs nine crowns."])
    (folder / "mail.eml").write_bytes(a_mail_with({"report.pdf": report}))
    notes = {"a/bridge.md": b"# Bridge\n\nThe bridge opens at six.", "cut.pdf": b"%PDF-1.7"}
    (folder / "all.zip").write_bytes(a_zip(notes))
    done = system.gyre("submit", str(folder), *TENANT, "--json", check=False)
    sent = json.loads(done.stdout)
    assert (sent["submitted"], sent["parts"], sent["indexed"]) == (2, 3, 4)
    assert [each["document_id"] for each in sent["rejected"]] == [f"{folder.name}/all.zip/cut.pdf"]

    answer = system.json("ask", "What does the ferry to the island cost?", *TENANT)
    (citation,) = answer["citations"]
    assert citation["document_id"] == f"{folder.name}/mail.eml/report.pdf"
    assert citation["position"] == "page 2"

    (folder / "all.zip").write_bytes(a_zip({"a/lock.md": b"# Lock\n\nThe lock shuts at ten."}))
    again = system.json("submit", str(folder), "--mirror", *TENANT)
    assert (again["indexed"], again["deleted"], again["rejected"]) == (4, 0, [])
    answer = system.json("ask", "When does the bridge open?", *TENANT)
    read = {each["document_id"] for each in answer["passages"]}
    assert f"{folder.name}/all.zip/a/bridge.md" not in read

    gone = system.json("delete", f"{folder.name}/mail.eml", *TENANT)
    assert gone["deleted"] == 2
    (folder / "mail.eml").unlink()
    (folder / "all.zip").unlink()
    (folder / "tea.md").write_text("# Tea\n\nHot.")
    last = system.json("submit", str(folder), "--mirror", *TENANT)
    assert (last["indexed"], last["deleted"]) == (1, 2)
