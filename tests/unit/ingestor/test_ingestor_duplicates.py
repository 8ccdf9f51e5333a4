"""Which documents say the same, how much, and in what order they are named."""

from datetime import timedelta

import pytest
from gyre_common.document_index import DocumentHappening, DocumentRecord, DocumentState
from gyre_embedder.document_sketch import sketch_of
from gyre_ingestor.duplicates import MOST_DUPLICATES, duplicates_among

from tests.builders import MORNING, SUBMISSION_ID, a_chunk

WORDS = [f"w{number}" for number in range(400)]


def a_record(
    document_id: str, *, skipped: int = 0, digest: str = "", title: str = "Page", minutes: int = 0
) -> DocumentRecord:
    submitted_at = MORNING + timedelta(minutes=minutes)
    happening = DocumentHappening(
        state=DocumentState.INDEXED,
        submission_id=SUBMISSION_ID,
        revision=3,
        submitted_at=submitted_at,
        happened_at=submitted_at,
    )
    return DocumentRecord(
        tenant="acme",
        document_id=document_id,
        state=DocumentState.INDEXED,
        title=title,
        revision=3,
        content_digest=f"sha256:{digest * 64}" if digest else None,
        timeline=(happening,),
        **sketch_of([a_chunk(text=" ".join(WORDS[skipped:]))])._asdict(),
    )


def test_the_same_content_comes_first_then_the_most_alike() -> None:
    others = [
        a_record("near", skipped=50),
        a_record("nearer", skipped=20),
        a_record("same", digest="a", title="Other"),
        a_record("far", skipped=300),
    ]
    named = duplicates_among(a_record("it", digest="a"), others)
    assert [each.record.document_id for each in named] == ["same", "nearer", "near"]
    assert [each.same_content for each in named] == [True, False, False]
    assert named[0].similarity == 1
    assert [each.similarity for each in named[1:]] == pytest.approx([0.95, 0.87], abs=0.1)


def test_under_another_title_more_must_be_the_same() -> None:
    others = [
        a_record("version", skipped=120, title="PAGE"),
        a_record("template", skipped=120, title="Other"),
        a_record("untitled", skipped=120, title=""),
    ]
    named = duplicates_among(a_record("it"), others)
    assert [each.record.document_id for each in named] == ["version"]
    untitled = a_record("archive/untitled", title="")
    assert [each.record.document_id for each in duplicates_among(untitled, others)] == ["untitled"]


def test_what_was_submitted_later_is_newer() -> None:
    others = [a_record("later", minutes=2), a_record("sooner", minutes=0)]
    named = duplicates_among(a_record("it", minutes=1), others)
    assert {each.record.document_id: each.newer for each in named} == {
        "later": True,
        "sooner": False,
    }


def test_documents_without_content_are_no_duplicates_of_each_other() -> None:
    empty = DocumentRecord(tenant="acme", document_id="e", state=DocumentState.REJECTED)
    assert duplicates_among(empty, [empty.model_copy(update={"document_id": "f"})]) == []


def test_so_many_are_named_and_no_more() -> None:
    others = [a_record(f"copy-{number}", digest="a") for number in range(MOST_DUPLICATES + 5)]
    assert len(duplicates_among(a_record("it", digest="a"), others)) == MOST_DUPLICATES
