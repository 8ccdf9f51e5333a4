"""The web console: its own tests, what it is built from, and what the gateway's wheel carries."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from gyre_cli.commands.answers import QUESTIONS

ROOT = Path(__file__).parents[3]
GATEWAY = ROOT / "services/gateway"
BUILD = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"


def test_the_consoles_own_tests_pass() -> None:
    node = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["npm", "test", "--silent"],
        cwd=GATEWAY / "console",
        env={**os.environ, "PATH": node},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^ℹ pass [1-9]", run.stdout, re.MULTILINE), run.stdout


def test_the_page_suggests_what_the_command_suggests() -> None:
    texts = (GATEWAY / "console/src/texts.ts").read_text()
    assert all(f'"{question}"' in texts for question in QUESTIONS)


def test_what_the_console_is_built_with_is_locked_by_digest_and_names_no_registry() -> None:
    lock = json.loads((GATEWAY / "console/package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 10
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_the_wheel_of_the_gateway_carries_the_page_and_every_file_that_it_names(
    tmp_path: Path,
) -> None:
    build = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)],
        cwd=GATEWAY,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(tmp_path / build.stdout.split()[-1]) as wheel:
        files = set(wheel.namelist())
        page = wheel.read("gyre_gateway/static/index.html").decode()
    named = re.findall(r'(?:src|href)="/([^"]+)"', page)
    assert any(name.endswith(".js") for name in named)
    assert {f"gyre_gateway/static/{name}" for name in named} <= files
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)", page)
