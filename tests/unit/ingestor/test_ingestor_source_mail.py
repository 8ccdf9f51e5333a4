"""Mailboxes as sources: on a server, and in a file."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import DOCUMENT_CHUNKED, DOCUMENT_SUBMITTED
from gyre_common.events.event import now
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.state import SyncOutcome, SyncRun

from tests.fakes.imap_server import MailServer, a_mail_server

from .conftest import World

TENANT = "acme"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with a_mail_server() as server:
        server.mails = {3: a_mail("Tea", "Tea is hot."), 5: a_mail("Ice", "Ice is cold.")}
        yield server


def a_mail(subject: str, text: str) -> bytes:
    head = f"From: Ann <ann@example.com>\nSubject: {subject}\nMessage-ID: <{subject}@example.com>\n"
    return f"{head}\n{text}\n".replace("\n", "\r\n").encode()


async def put(world: World, kind: str, **settings: str) -> SyncRun:
    secrets = world.opener.surroundings.secrets / TENANT
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "mail").write_text('tea "for" two')
    source: dict[str, Any] = {"name": "mail", "kind": kind, "settings": settings}
    await world.book.put(new_source(TENANT, source))
    await world.bus.settled()
    (standing,) = await world.book.list(TENANT)
    assert standing.progress.last is not None
    return standing.progress.last


async def put_imap(world: World, server: MailServer, **settings: str) -> SyncRun:
    described = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "user": "ann",
        "secret": "mail",
        "tls": "false",
    }
    return await put(world, "imap", **{**described, **settings})


def submitted(world: World) -> set[tuple[str, bool]]:
    events = world.events(DOCUMENT_SUBMITTED)
    world.bus.published = [each for each in world.bus.published if each[0] != DOCUMENT_SUBMITTED]
    return {(event.document_id.removeprefix("mail/"), event.deleted) for event in events}


async def test_each_mail_is_a_document_and_is_fetched_once(
    world: World, server: MailServer
) -> None:
    run = await put_imap(world, server)
    assert (run.outcome, run.error, run.problems) == (SyncOutcome.SUCCEEDED, "", ())
    assert submitted(world) == {("7/3.eml", False), ("7/5.eml", False)}
    titles = {event.title for event in world.events(DOCUMENT_CHUNKED)}
    assert titles == {"Tea", "Ice"}
    del server.mails[3]
    server.mails[8] = a_mail("Milk", "Milk is warm.")
    server.commands.clear()
    await put_imap(world, server)
    assert submitted(world) == {("7/8.eml", False), ("7/3.eml", True)}
    fetched = [command for command in server.commands if "FETCH" in command]
    assert fetched == ["UID FETCH 8 (BODY.PEEK[]<0.1048576>)"]
    assert server.commands[-1] == "LOGOUT"


def a_certificate(folder: Path) -> Path:
    """Of localhost, vouched for by itself; with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = folder / "certificate.pem"
    file.write_bytes(key.private_bytes(pem, *private) + certificate.public_bytes(pem))
    return file


async def test_a_server_is_let_in_by_a_certificate_that_somebody_vouches_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = a_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with a_mail_server(context) as server:
        server.mails = {3: a_mail("Tea", "Tea is hot.")}
        settings = {"tls": "true", "host": "localhost"}
        refused = await put_imap(world, server, **settings)
        assert (refused.outcome, server.commands) == (SyncOutcome.FAILED, [])
        assert "certificate verify failed" in refused.error
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        run = await put_imap(world, server, **settings)
        assert (run.outcome, run.error) == (SyncOutcome.SUCCEEDED, "")
        assert submitted(world) == {("7/3.eml", False)}


async def test_a_server_that_numbers_anew_has_all_fetched_again(
    world: World, server: MailServer
) -> None:
    await put_imap(world, server)
    submitted(world)
    server.validity = 8
    await put_imap(world, server)
    assert ("8/3.eml", False) in submitted(world)


async def test_a_large_mail_comes_in_pieces(world: World, server: MailServer) -> None:
    world.syncer._door = _Sizes(world.syncer._door)
    server.mails = {1: a_mail("Long", "tea " * 600_000)}
    await put_imap(world, server)
    starts = [c.partition("<")[2].partition(".")[0] for c in server.commands if "FETCH" in c]
    assert starts == ["0", "1048576", "2097152"]
    assert world.syncer._door.sizes == [len(server.mails[1])]


class _Sizes:
    """A door that takes any size, and counts."""

    def __init__(self, door: Any) -> None:
        self._door = door
        self.sizes: list[int] = []

    async def submit(self, *arguments: Any) -> Any:
        return await self._door.submit(*arguments)

    async def upload(self, caller: Any, fields: Any, pieces: Any, key: str = "") -> Any:
        self.sizes.append(sum([len(piece) async for piece in pieces]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"user": "bob"}, "wrong password"),
        ({"mailbox": "Nowhere"}, "no such mailbox"),
        ({"port": "9"}, "does not answer"),
        ({"tls": "true"}, "cannot be read"),
    ],
)
async def test_a_mailbox_that_cannot_be_read_loses_nothing_and_says_why(
    world: World, server: MailServer, settings: dict[str, str], words: str
) -> None:
    await put_imap(world, server)
    submitted(world)
    run = await put_imap(world, server, **settings)
    assert (run.outcome, submitted(world)) == (SyncOutcome.FAILED, set())
    assert words in run.error
    assert "tea" not in run.error


async def test_a_server_that_claims_to_send_gigabytes_is_not_believed(
    world: World, server: MailServer
) -> None:
    server.claims = 5_000_000_000
    run = await put_imap(world, server)
    assert run.counts.unreadable == 2
    assert "5,000,000,000 bytes at once" in run.problems[0].detail


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"tls": "false"}, "tls"),
        ({"host": "10.0.0.1"}, "host"),
        ({"mailbox": "Entwürfe"}, "mailbox"),
        ({"secret": "none"}, "secret"),
    ],
)
async def test_what_cannot_work_is_refused_by_the_setting(
    world: World, settings: dict[str, str], field: str
) -> None:
    around = replace(world.opener.surroundings, private_addresses=False)
    object.__setattr__(world.opener, "surroundings", around)
    described = {"host": "imap.example.com", "user": "ann", "secret": "mail", **settings}
    with pytest.raises(InvalidInput) as caught:
        await put(world, "imap", **described)
    assert caught.value.field == field


def an_mbox(*mails: bytes) -> bytes:
    return b"".join(b"From ann Mon Mar  2 09:00:00 2026\n" + mail + b"\n" for mail in mails)


async def test_the_mails_of_a_file_come_and_go_with_it(world: World) -> None:
    file = world.allowed / "box.mbox"
    quoting = a_mail("Quote", "He wrote:\r\n\r\n>From here on.")
    file.write_bytes(an_mbox(a_mail("Tea", "Hot."), a_mail("Ice", "Cold."), quoting))
    run = await put(world, "mbox", path=str(file))
    assert (run.outcome, run.problems) == (SyncOutcome.SUCCEEDED, ())
    names = {"Tea@example.com.eml", "Ice@example.com.eml", "Quote@example.com.eml"}
    assert submitted(world) == {(name, False) for name in names}
    texts = " ".join(chunk.text for e in world.events(DOCUMENT_CHUNKED) for chunk in e.chunks)
    assert "From here on." in texts
    assert ">From" not in texts
    file.write_bytes(an_mbox(a_mail("Ice", "Cold."), a_mail("Milk", "Warm.")))
    run = await put(world, "mbox", path=str(file))
    assert submitted(world) == {
        ("Milk@example.com.eml", False),
        ("Tea@example.com.eml", True),
        ("Quote@example.com.eml", True),
    }
    assert run.counts.unchanged == 1


async def test_mails_without_an_id_are_called_by_what_they_are(world: World) -> None:
    file = world.allowed / "box"
    file.write_bytes(an_mbox(b"Subject: Tea\n\nHot.\n", b"Subject: Ice\n\nCold.\n"))
    await put(world, "mbox", path=str(file))
    assert len(submitted(world)) == 2


@pytest.mark.parametrize("content", [b"no mail at all", None])
async def test_a_file_that_is_no_mailbox_is_told(world: World, content: bytes | None) -> None:
    file = world.allowed / "box"
    if content is not None:
        file.write_bytes(content)
    run = await put(world, "mbox", path=str(file))
    assert run.outcome is SyncOutcome.FAILED
    assert str(file) in run.error
