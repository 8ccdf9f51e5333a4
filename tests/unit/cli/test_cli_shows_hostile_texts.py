"""Whatever a system replies: no command steers the terminal, and no JSON hides what stands in it.

The system here fills every string of every reply with what terminals obey, by reflection.
"""

import json
import logging
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from gyre.releases.v1 import releases_pb2
from gyre.trainer.v1 import trainer_pb2
from gyre_cli.application import COMMANDS, guarded, load, run
from gyre_client import Addresses
from gyre_common.events.releases import Roles

from tests.reflection import Rpc, filled, rpcs

MARK = "0123abcd-MARK"
HOSTILE = (
    f"{MARK}\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\\x1b[2J\x1b]0;owned\x07"
    "\x9b31m\x90q\x9c\x7f\x08\r\u202egpj.exe\u202c\u2066\u2069\u2028\u200b\ufeff\U000e0041"
)
STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"
    r"\U000e0000-\U000e007f]"
)

ID = "0199a1b2-0000-7000-8000-000000000001"
COMMAND_LINES = (
    "ask tea",
    "ask tea --all",
    f"vote {ID} up --comment good",
    f"explain {ID}",
    "dlq list",
    "dlq show documents.submitted.v1",
    "dlq skip documents.submitted.v1 0 0 --reason stuck",
    "dlq replay documents.submitted.v1 0",
    "dlq drop documents.submitted.v1 0 --reason old",
    "telemetry status",
    "telemetry drop",
    "documents list",
    "documents show tea.md",
    "documents quarantine list",
    "documents quarantine show tea.md",
    "documents quarantine release tea.md",
    "documents quarantine confirm tea.md",
    "sources list",
    "sources kinds",
    "sources add tea folder --set path=/tea",
    "sources sync tea --no-wait",
    "sources pause tea",
    "sources resume tea",
    "sources remove tea --keep-documents --no-wait",
    "releases",
    "releases retrieval",
    "register retrieval two --set a=b",
    "promote retrieval two",
    "rollback retrieval",
    "models list",
    "models show tea",
    "models remove tea",
    "index status",
    "index drop",
    "runs",
    f"runs {MARK}",
    f"runs {MARK} --cancel",
    "train query-encoder --every-tenant",
    "datasets list",
    f"datasets show {MARK}",
    f"datasets export {MARK}",
    "forget --actor ann",
    "redact",
    "delete tea.md --no-wait",
    "status",
)
LEFT_OUT = {
    "up": "starts processes",
    "open": "opens a browser on an own address",
    "down": "stops processes",
    "secrets": "shows own files",
    "questions": "has its own words",
    "demo": "runs the other commands",
    "logs": "see test_a_log_line_steers_nothing",
    "submit": "sends files; its outcomes are read as `documents show` reads them",
    "models add": "reads a folder first",
    "telemetry rebuild": "follows until it ends; `telemetry status` shows the same",
    "index rebuild": "follows until it ends; `index status` shows the same",
}
_SECONDS = 30


class HostileSystem(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers every call, or refuses it, with a text that terminals obey."""

    def __init__(self) -> None:
        self._rpcs = {rpc.path: rpc for rpc in rpcs()}
        self.refuses = False

    def service(self, handler_call_details: Any) -> Any:
        rpc = self._rpcs[handler_call_details.method]
        shape = f"{'stream' if rpc.takes_several else 'unary'}_"
        shape += "stream" if rpc.gives_several else "unary"
        make = getattr(grpc, f"{shape}_rpc_method_handler")
        return make(
            self._behaviour(rpc),
            request_deserializer=rpc.request.FromString,
            response_serializer=lambda reply: reply.SerializeToString(),
        )

    def _behaviour(self, rpc: Rpc) -> Callable[[Any, Any], Any]:
        def reply(request: Any, context: Any) -> Message:
            if self.refuses:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, HOSTILE)
            return _fitting(filled(rpc.reply, HOSTILE))

        def replies(request: Any, context: Any) -> Iterator[Message]:
            yield reply(request, context)

        return replies if rpc.gives_several else reply


def _fitting(reply: Message) -> Message:
    """With what commands look for in it: a release of each role, and lines of JSON."""
    if isinstance(reply, releases_pb2.ListReleasesResponse):
        release = reply.releases.pop()
        for role in (*Roles, "retrieval"):
            release.role = role
            reply.releases.append(release)
    if isinstance(reply, trainer_pb2.ExportDataSetResponse):
        reply.line = json.dumps({"prompt": reply.line}, ensure_ascii=False)
    return reply


@pytest.fixture(scope="module")
def system() -> Iterator[tuple[HostileSystem, int]]:
    system = HostileSystem()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[system])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield system, port
    server.stop(None).wait()


@pytest.fixture
def hostile(
    system: tuple[HostileSystem, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HostileSystem]:
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    monkeypatch.setenv("GYRE_ACTOR", "ann")
    for name in vars(Addresses.on("127.0.0.1", port_offset=0)):
        monkeypatch.setenv(f"GYRE_{name.upper()}_ADDRESS", f"127.0.0.1:{system[1]}")
    system[0].refuses = False
    yield system[0]
    logging.disable(logging.NOTSET)


@contextmanager
def ended_in_time() -> Iterator[None]:
    """A command that waits for something that no reply says is stopped as by Ctrl-C."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def written(capsys: pytest.CaptureFixture[str], line: str, *more: str) -> tuple[str, str]:
    with ended_in_time():
        code = guarded(lambda: run([*line.split(), *more]))
    out, err = capsys.readouterr()
    assert "unexpected" not in err, err
    assert code in (0, 1), err
    return out, err


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_no_reply_steers_the_terminal(
    hostile: HostileSystem, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    for text in written(capsys, line):
        assert not STEERING.findall(text)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_json_holds_what_was_replied_and_steers_nothing(
    hostile: HostileSystem, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    out, err = written(capsys, line, "--json")
    assert not STEERING.findall(out + err)
    if "\\u001b" in out:
        assert any(HOSTILE in text for text in _texts(json.loads(out)))


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_no_refusal_steers_the_terminal(
    hostile: HostileSystem, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    hostile.refuses = True
    for text in written(capsys, line):
        assert not STEERING.findall(text)


def test_most_commands_show_what_was_replied(
    hostile: HostileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [line for line in COMMAND_LINES if MARK in "".join(written(capsys, line))]
    assert len(shown) >= 25, shown


def test_every_command_is_tried() -> None:
    leaves = {" ".join(words) for name in COMMANDS for words in _leaves(load(name), name)}
    untried = {
        leaf
        for leaf in leaves - LEFT_OUT.keys()
        if not any(f"{line} ".startswith(f"{leaf} ") for line in COMMAND_LINES)
    }
    assert not untried


def test_a_log_line_steers_nothing(
    hostile: HostileSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    line = json.dumps({"level": "INFO", "message": HOSTILE, "question": HOSTILE})
    (tmp_path / "logs" / "judge.log").write_text(f"{line}\n{HOSTILE}\n")
    for option in ([], ["--json"]):
        out, err = written(capsys, "logs", *option)
        assert MARK in out
        assert not STEERING.findall(out + err)


def _leaves(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield words
        return
    for name, one in inner.items():
        yield from _leaves(one, *words, name)


def _texts(data: Any) -> Iterator[str]:
    match data:
        case str():
            yield data
        case dict():
            for key, value in data.items():
                yield from (key, *_texts(value))
        case list():
            for value in data:
                yield from _texts(value)


def test_a_question_of_ones_own_is_no_exception(
    hostile: HostileSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(lambda: run(["documents", "list", "--state", "\x1b[2J"])) == 2
    assert not STEERING.findall("".join(capsys.readouterr()))
