"""The project's own pages, which `make up` submits: one that is refused would stop it."""

from pathlib import Path

import pytest
from gyre_ingestor.formats import FORMATS

ROOT = Path(__file__).parents[3]
BY_ENDING = {ending: each for each in FORMATS.values() for ending in each.endings}
FILES = (ROOT / "README.md", *(ROOT / "docs").rglob("*"))
PAGES = [path for path in FILES if path.suffix in BY_ENDING]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_of_the_project_holds_text(page: Path) -> None:
    assert BY_ENDING[page.suffix].parse(page.read_bytes(), None).text.strip()
