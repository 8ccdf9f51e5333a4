"""Whoever installs the client gets the client: its wheels, with grpcio and protobuf, are enough."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.unit.client.fake_system import FakeSystem, served_beside

ROOT = Path(__file__).resolve().parents[3]
OURS = {"gyre-client": ROOT / "libs/client", "gyre-protos": ROOT / "libs/protos"}
THEIRS = {"googleapis-common-protos", "grpcio", "protobuf", "typing-extensions"}

BUILD = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
ASK = """
import importlib, pkgutil, sys
sys.path[:] = [one for one in sys.path if one.startswith(sys.base_prefix)] + sys.argv[2:]
import gyre_client
for module in pkgutil.walk_packages(gyre_client.__path__, "gyre_client."):
    importlib.import_module(module.name)
from gyre_client import Addresses, Client
with Client(Addresses(generator=sys.argv[1])) as gyre:
    print(gyre.answers.ask("How hot?").answer)
print(sorted({name.partition(".")[0] for name in sys.modules if name.startswith("gyre")}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two wheels unpacked, and links to what they ask for; nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    for name, project in OURS.items():
        build = subprocess.run(
            [sys.executable, "-c", BUILD, str(folder)],
            cwd=project,
            capture_output=True,
            text=True,
            check=True,
        )
        wheel = folder / build.stdout.split()[-1]
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        requirements = set(
            re.findall(r"^Requires-Dist: ([\w-]+)", _metadata(folder, name), re.MULTILINE)
        )
        assert requirements <= THEIRS | set(OURS), name
    for name in THEIRS:
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files if ".." not in file.parts}:
            link = folder / top
            if not link.exists() and "dist-info" not in top and top != "__pycache__":
                link.symlink_to(Path(str(distribution(name).locate_file(top))))
    return folder


def _metadata(folder: Path, name: str) -> str:
    [metadata_file] = folder.glob(f"{name.replace('-', '_')}-*.dist-info/METADATA")
    return metadata_file.read_text()


def test_it_imports_and_asks_with_nothing_but_what_it_asks_for(installed: Path) -> None:
    with served_beside(FakeSystem()) as addresses:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", ASK, addresses.generator, str(installed)],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["80 degrees.", "['gyre', 'gyre_client']"]


def test_its_types_are_installed_too(installed: Path) -> None:
    assert (installed / "gyre_client/py.typed").is_file()
    stubs = {path.parent.parent.name for path in installed.glob("gyre/*/v1/*_pb2.pyi")}
    assert stubs == {path.parent.parent.name for path in ROOT.glob("proto/gyre/*/v1/*.proto")}
