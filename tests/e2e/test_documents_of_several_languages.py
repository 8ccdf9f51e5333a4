"""Documents of several languages in one corpus: each is found by the rules of its own."""

from pathlib import Path

import pytest
from gyre.retriever.v1 import retriever_pb2
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.context import RequestContext, use_context
from gyre_common.rpc import call, channel

from tests.system import System

TENANT = "languages"
PAGES = {
    "german.md": "# Marktplatz\n\nDie alten Häuser am Ufer wurden im Sommer verkauft.\n",
    "japanese.md": "# 案内\n\nこの図書館は京都駅の近くにあり、毎日開いています。\n",
    "english.md": "# Ferry\n\nThe ferries are leaving the old harbour every twenty minutes.\n",
    "short.md": "Haus 7\n",
}


@pytest.fixture(scope="module")
def pages(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    *others, short = (str(folder / name) for name in PAGES)
    system.gyre("submit", *others, "--tenant", TENANT)
    system.gyre("submit", short, "--language", "de-AT", "--tenant", TENANT)
    return folder


async def with_words(system: System, query: str, *languages: str) -> set[str]:
    """The documents that the lexical leg brings."""
    request = retriever_pb2.RetrieveRequest(
        query=query, filters=retriever_pb2.Filters(languages=languages)
    )
    async with channel(f"127.0.0.1:{system.ports.grpc('retriever')}") as opened:
        with use_context(RequestContext(tenant=TENANT)):
            reply = await call(RetrieverServiceStub(opened).Retrieve, request)
    return {chunk.document_id for chunk in reply.chunks if "bm25" in chunk.scores}


@pytest.mark.usefixtures("pages")
async def test_words_are_found_in_other_forms_whatever_else_is_there(system: System) -> None:
    assert await with_words(system, "Haus verkaufen") == {"german.md", "short.md"}
    assert await with_words(system, "京都") == {"japanese.md"}
    assert await with_words(system, "When does the ferry leave?") == {"english.md"}


@pytest.mark.usefixtures("pages")
async def test_a_search_stays_within_the_languages_that_it_names(system: System) -> None:
    assert await with_words(system, "Haus ferry 京都", "de") == {"german.md", "short.md"}
    assert await with_words(system, "Haus ferry 京都", "en", "ja") == {
        "english.md",
        "japanese.md",
    }


@pytest.mark.usefixtures("pages")
def test_a_document_says_its_language(system: System) -> None:
    listed = system.json("documents", "list", "--tenant", TENANT)
    assert {each["document_id"]: each["language"] for each in listed} == {
        "german.md": "de",
        "japanese.md": "ja",
        "english.md": "en",
        "short.md": "de",
    }
    german = system.json("documents", "list", "--language", "de", "--tenant", TENANT)
    assert [each["document_id"] for each in german] == ["german.md", "short.md"]
    assert (
        "language: ja" in system.gyre("documents", "show", "japanese.md", "--tenant", TENANT).stdout
    )
    refused = system.gyre("documents", "list", "--language", "German, mostly", check=False)
    assert "is no language tag of BCP 47: name one such as de, or und" in refused.stderr
