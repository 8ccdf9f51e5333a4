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
