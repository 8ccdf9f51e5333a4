"""How the command starts: what it imports for what, its completion, and what docs/cli.md lists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gyre_cli.application import COMMANDS, HEADINGS, load

from tests.unit.client.fake_system import FakeSystem, served_beside

DOCS = Path(__file__).resolve().parents[3] / "docs/cli.md"

HEAVY = {
    "aiokafka",
    "chdb",
    "clickhouse_connect",
    "elasticsearch",
    "faststream",
    "fsspec",
    "gyre_common.bus",
    "gyre_common.events",
    "gyre_common.rpc",
    "gyre_common.settings",
    "gyre_local.supervisor",
    "numpy",
    "opentelemetry",
    "prometheus_client",
    "psutil",
    "pydantic",
    "pydantic_settings",
    "rich",
}
"""What takes longer to import than a command may take to start."""

CALLS = {"grpc", "google.protobuf", "gyre"}

LISTED = """
import atexit, sys
from gyre_cli.application import guarded, run
atexit.register(lambda: sys.stderr.write("MODULES " + " ".join(sys.modules)))
sys.exit(guarded(lambda: run(sys.argv[1:])))
"""


def modules_of(*arguments: str, **variables: str) -> set[str]:
    """What is imported when the command has run."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "--help"), ("dlq", "list", "--help")])
def test_help_imports_no_client_and_nothing_heavy(arguments: tuple[str, ...]) -> None:
    heavy = HEAVY - ({"rich"} if "dlq" in arguments else set())
    assert not modules_of(*arguments) & (heavy | CALLS)


def test_the_help_of_all_loads_no_command() -> None:
    loaded = modules_of("--help")
    assert not {name for name in loaded if name.startswith("gyre_cli.commands.")}


@pytest.mark.parametrize(
    ("arguments", "service"),
    [
        (("ask", "How hot?"), "generator"),
        (("vote", "0199a1b2-0000-7000-8000-000000000001", "up"), "feedback"),
        (("explain", "0199a1b2-0000-7000-8000-000000000001", "--json"), "telemetry"),
    ],
)
def test_who_talks_imports_the_stub_it_calls_and_nothing_heavy(
    arguments: tuple[str, ...], service: str, tmp_path: Path
) -> None:
    heavy = HEAVY - ({"rich"} if "explain" in arguments else set())
    with served_beside(FakeSystem()) as addresses:
        where = {f"GYRE_{name.upper()}_ADDRESS": one for name, one in vars(addresses).items()}
        loaded = modules_of(*arguments, GYRE_HOME=str(tmp_path), **where)
    assert not loaded & heavy
    stubs = {
        name.split(".")[1] for name in loaded if re.fullmatch(r"gyre\.\w+\.v1\.\w+_grpc", name)
    }
    assert stubs == {service}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_first_line_of_its_help(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name]


def complete(words: str) -> tuple[list[str], set[str]]:
    """What a shell is offered, and what was imported for it."""
    done = subprocess.run(
        [sys.executable, "-c", LISTED],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **os.environ,
            "_GYRE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
    )
    return done.stdout.split(), set(done.stderr.partition("MODULES ")[2].split())


@pytest.mark.parametrize(
    ("words", "expected_completions"),
    [
        ("gyre re", {"releases", "register"}),
        ("gyre ask --", {"--all", "--acl", "--conversation", "--json", "--tenant"}),
        ("gyre dlq ", {"list", "show"}),
        ("gyre dlq show --l", {"--limit"}),
    ],
)
def test_a_shell_completes_commands_and_options(words: str, expected_completions: set[str]) -> None:
    completions, loaded = complete(words)
    assert expected_completions <= set(completions)
    assert loaded
    assert not loaded & (HEAVY - {"rich"} | CALLS)


def test_the_script_for_a_shell_can_be_shown() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "gyre")],
        env={**os.environ, "_GYRE_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "_GYRE_COMPLETE=complete_bash" in done.stdout


def test_the_page_on_the_command_lists_every_command_under_its_heading() -> None:
    page = DOCS.read_text()
    for heading, commands in HEADINGS.items():
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        cells = re.findall(r"^\| (.+?[^\\]) \|", section, re.MULTILINE)  # the first of each row
        names = list(dict.fromkeys(re.findall(r"\bgyre ([a-z]+)", "\n".join(cells))))
        assert [name for name in names if name in commands] == names, heading
        assert set(names) == set(commands), heading
