"""Resolves the third-party versions and writes the lock files: `python -m tools.lock [--upgrade]`.

What is locked keeps its version, unless it is told to upgrade. It resolves in a copy of the
project's metadata, so that a resolution that fails leaves the checkout as it was.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = {
    "requirements.lock": ("--all-groups", "--no-group", "train-peers"),
    "requirements-train.lock": ("--all-groups", "--all-extras"),
    "requirements-llm.lock": ("--all-groups", "--no-group", "train-peers", "--extra", "llm"),
}
CLIENTS = Path("tests/clients/python")
_PIN = re.compile(r"^[A-Za-z0-9._-]+(?=[=\[])")


def main() -> None:
    """Write the lock files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = parser.parse_args().upgrade
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for source in _metadata():
            (copy / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, copy / source)
        if not upgrade:
            _pin(copy / "pyproject.toml", _locked())
        _uv(copy, "lock", "-q")
        for name, groups in LOCKS.items():
            whole = ("--all-packages", "--no-emit-workspace", "--no-header")
            _uv(copy, "export", "-q", *whole, *groups, "-o", name)
            shutil.copy(copy / name, ROOT / name)
    # Of an environment of their own; what is in the file keeps its version by itself.
    options = ("-q", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header")
    files = (CLIENTS / "requirements.in", "-o", CLIENTS / "requirements.lock")
    _uv(ROOT, "pip", "compile", *options, *(["--upgrade"] if upgrade else []), *files)


def _metadata() -> list[str]:
    files = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    wanted = ["*pyproject.toml", "*README.md"]
    listed = subprocess.run([*files, *wanted], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split()


def _locked() -> list[str]:
    """`name==version` of every package that is locked at one version."""
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for line in (ROOT / lock).read_text().splitlines():
            if (name := _PIN.match(line)) and "==" in line:
                version = line.partition("==")[2].split()[0]
                versions.setdefault(name[0], set()).add(version)
    return [f"{name}=={each.pop()}" for name, each in versions.items() if len(each) == 1]


def _pin(project: Path, pins: list[str]) -> None:
    text = project.read_text()
    section = "[tool.uv]\n"
    assert section in text
    project.write_text(
        text.replace(section, f"{section}constraint-dependencies = {json.dumps(pins)}\n", 1)
    )


def _uv(folder: Path, *arguments: str | Path) -> None:
    subprocess.run([ROOT / ".venv/bin/uv", *arguments], cwd=folder, check=True)


if __name__ == "__main__":
    main()
