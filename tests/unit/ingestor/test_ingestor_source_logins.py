"""What a source logs in with stands in a file of the operator, and nowhere else."""

from pathlib import Path

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.redaction import redacted
from gyre_ingestor.sources import KINDS
from gyre_ingestor.sources.book import new_source
from gyre_ingestor.sources.logins import has_login

from tests.builders import a_source

from .conftest import World

TENANT, SECRET = "acme", "tea4two"
HERE = "127.0.0.1:9"  # nobody listens there

PUBLIC = {
    "folder": {"path": "/srv/handbook"},
    "web": {"start": "https://example.com/"},
    "object-store": {"url": "s3://papers/in", "anonymous": "true"},
    "git": {"url": "https://example.com/docs.git"},
    "imap": {"host": "example.com", "user": "ann", "secret": "mail"},
    "mbox": {"path": "/srv/mails.mbox"},
}
NAMED = {
    "object-store": {
        "url": "s3://papers/in",
        "endpoint_url": f"http://{HERE}",
        "key_id": "AKIA",
        "secret": "login",
    },
    "git": {"url": f"http://{HERE}/docs.git", "secret": "login"},
    "imap": {"host": "127.0.0.1", "port": "9", "tls": "false", "user": "ann", "secret": "login"},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"https://ann:{SECRET}@example.com/docs", True),
        (f"https://{SECRET}@example.com/docs", True),
        (f"https://ann%3A{SECRET}@example.com", True),
        (f"s3://AKIA:{SECRET}@bucket/in", True),
        (f"simplecache::https://ann:{SECRET}@example.com", True),
        (f"ann:{SECRET}@imap.example.com", True),
        (f"https://example.com/feed?page=2&Token={SECRET}", True),
        (f"https://example.com/feed?sv=1&sig={SECRET}", True),
        (f"https://example.com/#access_token={SECRET}", True),
        (f"https://ann:{SECRET}@example.com/?to=https://x.y/", True),
        (f"https://{SECRET}@example.com/?to=https://x.y/", True),
        (f"https://example.com/?token={SECRET}&u=https://x.y/", True),
        (f"https://example.com/?u=https://x.y/?token={SECRET}", True),
        (f"a, https://ann:{SECRET}@example.com/, https://b/", True),
        (f"ann:{SECRET}@example.com, https://b/", True),
        (f"https://b/,ann:{SECRET}@example.com", True),
        (f"ftp://b/ https://{SECRET}@example.com ftp://c/", True),
        (f"https%3A//ann:{SECRET}@example.com/?to=https://x.y/", True),
        ("https://example.com/?to=https://x.y/&from=ann@example.com", False),
        ("https://example.com/, https://x.y/a:b/@ann", False),
        ("ann@example.com, https://x.y/", False),
        ("https://example.com/@ann/token=of?page=2", False),
        ("abfs://container@account.dfs.core.windows.net/in", False),
        ("/srv/ann@example.com/a:b", False),
        ("*.md,*.pdf", False),
        ("ann@example.com", False),
    ],
)
def test_a_login_in_an_address_is_found(text: str, expected: bool) -> None:
    assert has_login(text) is expected


@pytest.mark.parametrize(
    ("kind", "setting"),
    [(name, setting) for name in KINDS for setting in KINDS[name].settings.model_fields],
)
async def test_no_setting_of_any_kind_takes_a_login(world: World, kind: str, setting: str) -> None:
    settings = {**PUBLIC[kind], setting: f"https://ann:{SECRET}@example.com"}
    source = new_source(TENANT, {"name": "shelf", "kind": kind, "settings": settings})
    with pytest.raises(InvalidInput, match="has a login in it") as refused:
        await world.book.put(source)
    assert refused.value.field == setting
    assert SECRET not in str(refused.value)
    assert world.bus.published == []


def test_every_kind_that_logs_in_is_tried_below() -> None:
    assert {name for name in KINDS if "secret" in KINDS[name].settings.model_fields} == {*NAMED}


@pytest.mark.parametrize("kind", NAMED)
async def test_what_a_source_logs_in_with_is_in_no_record_log_list_or_store(
    world: World, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = world.opener.surroundings.secrets / TENANT / "login"
    file.parent.mkdir(parents=True)
    file.write_text(SECRET)
    caplog.set_level("DEBUG", "gyre")
    fields: dict[str, object] = {"name": "shelf", "kind": kind, "settings": NAMED[kind]}
    await world.book.put(new_source(TENANT, fields))
    await world.bus.settled()
    (standing,) = await world.book.list(TENANT)
    assert standing.progress.last is not None
    assert standing.progress.last.error
    stored = [each.read_bytes() for each in (tmp_path / "store").rglob("*") if each.is_file()]
    logged = [vars(record) for record in caplog.records]
    assert SECRET not in repr([world.bus.sent, world.bus.published, standing, stored, logged])


def test_personal_data_in_a_setting_is_redacted_where_facts_are_recorded(masking: None) -> None:
    event = a_source(kind="folder", settings={"path": "/srv/of ann@example.com"})
    assert redacted(event).settings == {"path": "/srv/of [EMAIL_ADDRESS]"}
