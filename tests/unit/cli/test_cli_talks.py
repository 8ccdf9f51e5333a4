"""`ask`, `vote`, `explain` and `dlq` as people type them, against a system that answers."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import NotFound
from gyre_local.ports import GATEWAY, SERVICES

from tests.unit.client.fake_system import IDS, FakeSystem, served_beside


class Shell:
    """Commands of one terminal; another one is a session of its own."""

    def __init__(self, environ: dict[str, str], *, session: bool = False) -> None:
        self._environ = environ
        self._session = session

    def other(self) -> "Shell":
        return Shell(self._environ, session=True)

    def __call__(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "gyre_cli.main", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            env=self._environ,
            start_new_session=self._session,
        )
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json")[0])


@pytest.fixture(scope="module")
def served_system() -> Iterator[tuple[FakeSystem, dict[str, str]]]:
    system = FakeSystem()
    with served_beside(system) as addresses:
        yield (
            system,
            {f"GYRE_{name.upper()}_ADDRESS": address for name, address in vars(addresses).items()},
        )


@pytest.fixture
def system(served_system: tuple[FakeSystem, dict[str, str]]) -> FakeSystem:
    system = served_system[0]
    system.requests.clear()
    system.callers.clear()
    return system


@pytest.fixture
def gyre(served_system: tuple[FakeSystem, dict[str, str]], tmp_path: Path) -> Shell:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GYRE_")}
    return Shell({**environ, **served_system[1], "GYRE_HOME": str(tmp_path), "GYRE_ACTOR": "ann"})


def test_asking_prints_answer_sources_and_how_to_vote_and_no_more(
    gyre: Shell, system: FakeSystem
) -> None:
    out, err = gyre("ask", "How hot?", "--acl", "staff")
    assert out.splitlines() == [
        "80 degrees.",
        "",
        "[1] Tea  tea.md",
        "    “80 degrees is best”",
        "",
        f"vote: gyre vote up|down|1..5   (here; elsewhere gyre vote {IDS[0]} …)",
    ]
    assert err == ""
    assert system.callers[0].acl == ("staff",)
    out, _ = gyre("ask", "How hot?", "--all")
    assert "also found" in out
    assert "    c2" in out.splitlines()


def test_one_document_of_json_has_it_all(gyre: Shell) -> None:
    answer = gyre.json("ask", "How hot?")
    assert (answer["outcome"], answer["interaction_id"]) == ("answered", IDS[0])
    assert [passage["chunk_id"] for passage in answer["passages"]] == ["c1", "c2"]
    assert answer["citations"][0]["quote"] == "80 degrees is best"


def test_a_vote_without_an_id_means_the_last_answer_of_this_shell_and_tenant(
    gyre: Shell, system: FakeSystem
) -> None:
    gyre("ask", "How hot?", "--json")
    out, _ = gyre("vote", "up", "--comment", "good")
    assert out == "recorded: thumb on “How hot?”\n"
    word = system.requests[-1]
    assert (word.interaction_id, word.value, word.actor) == (IDS[0], "up", "ann")
    assert gyre.json("vote", "4")["interaction_id"] == IDS[0]
    assert gyre.json("explain")["interaction_id"] == IDS[0]
    for stranger, arguments in ((gyre.other(), ()), (gyre, ("--tenant", "acme"))):
        _, err = stranger("vote", "up", *arguments, code=2)
        assert "ID is missing, and this shell has no answer for tenant" in err


def test_ids_can_be_given_by_a_unique_beginning(gyre: Shell, system: FakeSystem) -> None:
    gyre("ask", "How hot?")
    assert gyre.json("vote", IDS[1], "down")["interaction_id"] == IDS[1]
    assert gyre.json("explain", IDS[1].upper())["interaction_id"] == IDS[1]
    _, err = gyre("vote", "0199a1b2", "up", code=2)
    assert f"0199a1b2 begins several ids ({IDS[0]}, {IDS[1]}): give more of it" in err
    _, err = gyre("explain", "ffff", code=1)
    assert "no answer has an id that begins with ffff" in err
    gyre("vote", "up", "--chunk", "c2")
    assert (system.requests[-1].target, system.requests[-1].value) == ("c2", "up")
    gyre("vote", IDS[1], "down", "--chunk", "c")  # another answer's passages are asked for
    assert system.requests[-1].target == "c1"
    _, err = gyre("vote", "down", "--chunk", "c", code=2)
    assert "c begins several ids (c1, c2)" in err
    _, err = gyre("runs", "run-a", code=2)
    assert "run-a begins several ids (run-aa, run-ab)" in err


def test_a_home_that_cannot_be_written_spoils_no_answer(gyre: Shell, tmp_path: Path) -> None:
    (tmp_path / "last-answers").write_text("in the way")
    out, err = gyre("ask", "How hot?")
    assert out.splitlines()[-1] == f"vote: gyre vote {IDS[0]} up|down|1..5"
    assert err == ""


def test_an_explanation_reads_from_question_to_votes(gyre: Shell) -> None:
    out, _ = gyre("explain", IDS[0])
    assert re.search(r"Question +How hot\?", out)
    assert "generator extractive-1" in out
    assert "not judged yet" in out
    assert "nobody has voted yet" in out


def test_dead_letters_are_counted_and_shown(gyre: Shell) -> None:
    [topic] = gyre.json("dlq", "list")
    assert (topic["topic"], topic["count"]) == ("tea.v1.dlq", 2)
    assert gyre.json("dlq", "list", "--cause", "JSON")[0]["count"] == 4
    [letter] = gyre.json("dlq", "show", "tea.v1")
    assert (letter["offset"], letter["value"], letter["kind"]) == (7, "\\xff not json", "poison")
    assert letter["origin"] == "tea.v1/0/0"
    out, _ = gyre("dlq", "show", "tea.v1")
    assert "poison" in out
    assert "not JSON" in out


def test_dead_letters_are_replayed_by_offset_or_all_that_match(
    gyre: Shell, system: FakeSystem
) -> None:
    [one] = gyre.json("dlq", "replay", "tea.v1", "7", "--actor", "ann")
    assert (one["offset"], one["outcome"]) == (7, "replayed")
    about = (
        "--cause",
        "JSON",
        "--since",
        "2026-01-05",
        "--of-tenant",
        "acme",
        "--reason",
        "mended",
    )
    out, notes = gyre("dlq", "replay", "tea.v1", "--all", *about, "--yes")
    assert "4 dead letters of tea.v1.dlq match" in notes
    assert "2 replayed" in out
    request = system.requests[-1]
    assert (request.filter.cause, request.filter.tenant, request.filter.end) == ("JSON", "acme", 8)
    assert request.filter.since.ToDatetime().day == 5
    assert request.reason == "mended"


def test_dead_letters_are_dropped_for_a_reason(gyre: Shell) -> None:
    out, _ = gyre("dlq", "drop", "tea.v1", "7", "--reason", "nobody misses it")
    assert "1 already" in out
    assert "#7 already: dropped by ann" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("replay", "tea.v1"), "offsets are missing"),
        (("replay", "tea.v1", "--all"), "--all has no filter"),
        (("replay", "tea.v1", "--cause", "x"), "--all is missing beside a filter"),
        (("replay", "tea.v1", "7", "--all", "--cause", "x"), "--all stands beside offsets"),
        (("replay", "tea.v1", "--all", "--cause", "x"), "--yes is missing"),
        (("drop", "tea.v1", "7"), "--reason"),
    ],
)
def test_what_would_decide_too_much_is_refused(
    gyre: Shell, words: tuple[str, ...], says: str
) -> None:
    assert says in gyre("dlq", *words, code=2)[1]


def test_without_a_local_system_the_services_say_whether_they_serve(gyre: Shell) -> None:
    state = gyre.json("status")
    assert state["ready"]
    assert {one["state"] for one in state["services"]} == {"ready"}
    called = set(SERVICES) - {GATEWAY}  # which stands before the others, as the client does
    assert {one["service"] for one in state["services"]} == called


def test_what_the_server_refuses_is_one_line_with_field_and_fix(
    gyre: Shell, system: FakeSystem
) -> None:
    assert gyre("ask", "", code=2)[1] == "error: question is empty: ask something\n"
    system.failures = [NotFound("no such thing")]
    assert gyre("runs", code=1)[1] == "error: no such thing\n"
