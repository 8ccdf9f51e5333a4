"""A folder is added by the command: what is dropped into it is searchable, what is gone goes."""

from typing import Any

from gyre_client import Addresses, Caller, Client

from tests.eventually import eventually
from tests.system import System

TENANT = ("--tenant", "sources")
PATIENCE = 60.0


async def test_a_watched_folder_is_mirrored_until_it_is_removed(system: System) -> None:
    folder = system.content / "handbook"
    folder.mkdir()
    (folder / "north.md").write_text("# Locks\n\nThe north lock closes at nine.\n")

    def names() -> set[str]:
        """Of the documents that a question about the locks finds."""
        answer = system.json("ask", "When does the lock close?", *TENANT)
        return {passage["document_id"] for passage in answer["passages"]}

    def source() -> Any:
        (one,) = system.json("sources", "list", *TENANT)
        return one

    added = system.json(
        "sources", "add", "docs", "folder", "--set", f"path={folder}", *TENANT, "--schedule",
        "0 3 * * *",
    )  # fmt: skip
    assert (added["state"], added["documents"]) == ("synced", 1)
    await eventually(lambda: names() == {"docs/north.md"}, PATIENCE, every=1)

    (folder / "south.md").write_text("# Locks\n\nThe south lock closes at ten.\n")
    await eventually(lambda: names() == {"docs/north.md", "docs/south.md"}, PATIENCE, every=1)
    assert source()["last_sync"]["reason"] == "watched"

    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    with Client(addresses, Caller(tenant="sources")) as client:
        document = client.documents.get("docs/south.md")
    assert (document.source, document.timeline[-1].source) == ("docs", "docs")

    (folder / "north.md").unlink()
    await eventually(lambda: names() == {"docs/south.md"}, PATIENCE, every=1)
    assert (source()["documents"], source()["next_sync_at"][11:19]) == (1, "03:00:00")

    synced = system.json("sources", "sync", "docs", *TENANT)
    assert synced["last_sync"]["unchanged"] == 1
    outside = system.gyre(
        "sources", "add", "etc", "folder", "--set", "path=/etc", *TENANT, check=False
    )
    assert (outside.returncode, "GYRE_ALLOWED_CONTENT_ROOTS" in outside.stderr) == (2, True)

    system.gyre("sources", "remove", "docs", *TENANT)
    assert system.json("sources", "list", *TENANT) == []
    await eventually(lambda: names() == set(), PATIENCE, every=1)
