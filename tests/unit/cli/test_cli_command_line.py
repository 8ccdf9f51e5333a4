"""The command as a user meets it: help, usage, one-line errors, exit codes, pure JSON."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gyre_cli.application import guarded, run
from gyre_cli.settings import settings_for
from gyre_client import InvalidInput
from gyre_local.home import Home
from gyre_local.state import ProcessIdentity, SystemState, write_state

NOWHERE = ("--port-offset", "9900")


def gyre(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GYRE_")}
    return subprocess.run(
        [sys.executable, "-m", "gyre_cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**environ, "COLUMNS": "100", **variables},
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty home. Flags are written to the environment, so this undoes them too."""
    for name in ("PORT_OFFSET", "TENANT", "KEYS", "DEBUG"):
        monkeypatch.setenv(f"GYRE_{name}", "")
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("bogus",), 2, "No such command 'bogus'"),
        (("ask", *NOWHERE), 2, "Missing argument 'question' — see `gyre ask --help`"),
        (("ask", "why", *NOWHERE), 1, "where service generator should be: start the system"),
        (("ask", "why", "--json", *NOWHERE), 1, "nothing answers at 127.0.0.1:59954, where"),
        (("up", "--port-offset", "7"), 2, "GYRE_PORT_OFFSET is 7: give a multiple of 100"),
        (("vote", "x", "sideways", *NOWHERE), 2, "VALUE is sideways: say up, down or a rating"),
        (("vote", "0199a1b2", *NOWHERE), 2, "VALUE is missing: say up, down or 1 to 5"),
        (("vote", "7", *NOWHERE), 2, "VALUE is 7: say up, down or a rating from 1 to 5"),
        (("vote", "up", "down", *NOWHERE), 2, "VALUE is up down: say one of up, down or 1 to 5"),
        (("vote", "up", "--chunk", "", *NOWHERE), 2, "--chunk is empty: give a passage's id"),
        (("explain", "x", *NOWHERE), 2, "ID is x, no id and no beginning of one: give 4"),
        (("submit", "/no/such/file", *NOWHERE), 1, "there is no /no/such/file"),
        (("submit", "-", *NOWHERE), 2, "--id is missing: name what standard input holds"),
        (("submit", "-", "a.md", "--id", "a", *NOWHERE), 2, "PATH is -: give it alone"),
        (("dlq", "skip", "T", "x", "3"), 2, "PARTITION is x: give a whole number from 0 on"),
        (
            ("dlq", "show", "T", "--limit", "0"),
            2,
            "--limit is 0: give a whole number from 1 to 1000",
        ),
        (("logs", "-n", "1.5"), 2, "--lines is 1.5: give a whole number from 0 on"),
        (("vote", "up", *NOWHERE), 2, "ID is missing, and this shell has no answer for tenant"),
        (("explain", *NOWHERE), 2, "ID is missing, and this shell has no answer for tenant def"),
        (("releases", "--tenant", "Not A Tenant"), 2, "GYRE_TENANT is Not A Tenant: use up to 63"),
        (("releases", "--key", "short"), 2, "GYRE_KEYS holds a key that cannot work"),
        (("ask", "caf\udce9", *NOWHERE), 2, r"caf\xe9 is not UTF-8: "),
        (("ask", "why", "--acl", "\udcff", *NOWHERE), 2, r"\xff is not UTF-8: "),
        (("vote", "up", "--comment", "\udcff", *NOWHERE), 2, r"\xff is not UTF-8: "),
        (("forget", "--actor", "\udcff", *NOWHERE), 2, r"\xff is not UTF-8: "),
        (("register", "r", "v", "--set", "a=\udcff", *NOWHERE), 2, r"a=\xff is not UTF-8: "),
    ],
)
def test_an_error_is_one_line_with_the_fix(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    here: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["gyre", *arguments])
    assert guarded(run) == code
    output = capsys.readouterr()
    assert output.err.startswith("error: ")
    assert output.err.count("\n") == 1
    assert says in output.err
    assert output.out == ""


@pytest.mark.parametrize("arguments", [(), ("dlq",), ("datasets",)])
def test_without_arguments_the_help_is_printed_as_it_is(
    arguments: tuple[str, ...],
    here: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["gyre", *arguments, "--help"])
    assert guarded(run) == 0
    help_text = capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["gyre", *arguments])
    assert guarded(run) == 2
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", help_text)


def test_an_actor_that_is_not_utf_8_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    monkeypatch.setenv("GYRE_ACTOR", "\udcff")
    with pytest.raises(InvalidInput, match=r"GYRE_ACTOR is \\xff, which is not UTF-8"):
        settings_for()


def test_a_cause_is_shown_when_asked_for(tmp_path: Path) -> None:
    done = gyre("submit", "/no/such/file", *NOWHERE, GYRE_HOME=str(tmp_path), GYRE_DEBUG="1")
    assert "Traceback" in done.stderr


def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir(parents=True)
    home.log("kafka").write_text("started\n")
    assert len(json.loads(gyre("questions", "--json").stdout)) == 3
    assert json.loads(gyre("down", "--json", "--home", str(tmp_path)).stdout)["stopped"] is False
    logs = json.loads(gyre("logs", "--json", "--home", str(tmp_path)).stdout)
    assert logs == [{"process": "kafka", "message": "started"}]


def test_the_page_of_a_system_that_does_not_run_is_not_opened(tmp_path: Path) -> None:
    done = gyre("open", "--home", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"error: nothing runs in {tmp_path}: start it with `gyre up`\n"


def test_every_command_has_help() -> None:
    help_text = gyre("--help").stdout
    for name in ("up", "down", "status", "logs", "submit", "ask", "vote", "explain", "dlq"):
        assert name in help_text
    assert "--port-offset" in gyre("ask", "--help").stdout


def test_ctrl_c_ends_it_without_a_traceback(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir(parents=True)
    home.log("kafka").write_text("started\n")
    command = [sys.executable, "-m", "gyre_cli.main", "logs", "-f", "--home", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert "started" in running.stdout.readline()
        for _ in range(2):
            running.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, complaint = running.communicate(timeout=30)
    assert running.returncode in (130, -signal.SIGINT)
    assert complaint == ""


SLOW_SYSTEM = """
import sys
from gyre_cli.commands import up
from gyre_cli.main import main
from gyre_local.probes import HttpProbe
from gyre_local.process import ProcessSpec

argv = (sys.executable, "-c", "import time; time.sleep(600)")
up.system_specs = lambda *_: [ProcessSpec(name="slow", argv=argv, probe=HttpProbe(1, "/"))]
main()
"""


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_before_all_is_ready_stops_it_and_is_no_success(tmp_path: Path, times: int) -> None:
    command = [sys.executable, "-c", SLOW_SYSTEM, "up", "--home", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while "starting" not in running.stderr.readline():
            assert running.poll() is None
        for _ in range(times):
            running.send_signal(signal.SIGINT)
        _, output = running.communicate(timeout=30)
    assert running.returncode == 130
    assert output.endswith("stopped\n")
    assert "Traceback" not in output


def test_a_reader_who_stops_early_causes_no_complaint(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.logs.mkdir(parents=True)
    home.log("kafka").write_text("a line\n" * 50_000)
    command = f"{sys.executable} -m gyre_cli.main logs -n 50000 --home {tmp_path} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("kafka  a line\n", "")


def test_a_home_knows_the_ports_of_its_system(tmp_path: Path, here: None) -> None:
    Home(tmp_path).run.mkdir(parents=True)
    process = ProcessIdentity(pid=1, created=0)
    write_state(
        Home(tmp_path).state, SystemState(supervisor=process, port_offset=1200, processes=())
    )
    assert settings_for(home=tmp_path).addresses.generator == "127.0.0.1:51254"
    assert settings_for(home=tmp_path, port_offset=300).addresses.generator == "127.0.0.1:50354"


def test_a_system_elsewhere_is_reached_by_the_variables_of_the_services(
    monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    monkeypatch.setenv("GYRE_GENERATOR_ADDRESS", "gyre.example.com:443")
    monkeypatch.setenv("GYRE_TENANT", "acme")
    settings = settings_for()
    assert (settings.addresses.generator, settings.tenant) == ("gyre.example.com:443", "acme")


@pytest.mark.parametrize(
    "address", ["nowhere", "host:0", "host:65536", "ho st:1", ":50054", "::1:9"]
)
def test_an_address_that_cannot_work_names_its_variable(
    address: str, monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    monkeypatch.setenv("GYRE_GENERATOR_ADDRESS", address)
    with pytest.raises(InvalidInput, match=r"GYRE_GENERATOR_ADDRESS is .*: write HOST:PORT"):
        settings_for()


@pytest.mark.parametrize("address", ["localhost:50054", "gyre.example.com:443", "[::1]:50054"])
def test_an_address_may_be_a_name_or_a_number(
    address: str, monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    monkeypatch.setenv("GYRE_GENERATOR_ADDRESS", address)
    assert settings_for().addresses.generator == address
