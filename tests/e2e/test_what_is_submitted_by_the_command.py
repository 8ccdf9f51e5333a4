"""`gyre submit` of what is too large, and of one archive again before it is through."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.files import a_zip
from tests.system import GYRE, System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

GIB, MIB = 1024**3, 1024**2
TENANT = ("--tenant", "submitted")

# By a small process: a child begins with the memory of the one that starts it.
_MEASURED = """
import resource, subprocess, sys
with open(sys.argv[1], "wb") as output:
    code = subprocess.run(sys.argv[2:], stdout=output).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_a_file_that_is_too_large_is_refused_by_its_size(system: System, tmp_path: Path) -> None:
    sparse, output = tmp_path / "sparse.md", tmp_path / "output.json"
    with sparse.open("wb") as file:
        file.truncate(GIB)
    command = [str(GYRE), "submit", str(sparse), *TENANT, "--json", "--home", str(system.home)]
    measured = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(output), *command], capture_output=True, text=True
    )
    code, greatest_kib = map(int, measured.stdout.split())
    (refused,) = json.loads(output.read_text())["rejected"]
    assert (code, refused["code"]) == (1, "too_large")
    assert "GYRE_MAX_DOCUMENT_BYTES" in refused["detail"]
    assert greatest_kib * 1024 < 200 * MIB


def test_two_submissions_of_one_archive_each_follow_their_own_parts(
    system: System, tmp_path: Path
) -> None:
    def submit(names: str) -> Any:
        folder = tmp_path / names
        folder.mkdir()
        members = {f"{name}.md": f"# {name} of {names}\n\nHot.".encode() for name in names}
        (folder / "all.zip").write_bytes(a_zip(members))
        return system.json("submit", str(folder / "all.zip"), *TENANT)

    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(submit, ("abcdefgh", "gh")))
    assert [(each["parts"], each["indexed"]) for each in reports] == [(8, 9), (2, 3)]
