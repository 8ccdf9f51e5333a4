"""How a document's head record changes with what happens to the document. Pure functions."""

from datetime import datetime

from gyre_common.document_index import (
    TIMELINE_LENGTH,
    DocumentHappening,
    DocumentRecord,
    DocumentState,
)
from gyre_common.events.documents import DocumentChunked, DocumentIndexed, DocumentRejected

from gyre_embedder.document_sketch import Sketch


def with_revision(
    before: DocumentRecord | None,
    document: DocumentChunked,
    *,
    index: str,
    encoder_version: str,
    chunk_count: int,
    encoded_count: int,
    sketch: Sketch,
    searchable_at: datetime,
) -> DocumentRecord:
    """The record once a revision is searchable, or gone if it was a deletion.

    A deletion names no groups: who could read the document may see that it is gone, nobody else.
    """
    happening = DocumentHappening(
        state=DocumentState.DELETED if document.deleted else DocumentState.INDEXED,
        submission_id=document.submission_id,
        source=document.source,
        revision=document.revision,
        submitted_at=document.submitted_at,
        accepted_at=document.accepted_at,
        chunked_at=document.chunked_at,
        happened_at=searchable_at,
    )
    timeline = _timeline_with(before, happening)
    of_revision = {
        "state": _state(timeline),
        "acl": before.acl if before and document.deleted else document.acl,
        "chunk_count": chunk_count,
        "encoded_count": encoded_count,
        "index": index,
        "encoder_version": encoder_version,
        **sketch._asdict(),
        "timeline": timeline,
    }
    return DocumentRecord.model_validate({**dict(document), **of_revision})


def with_rejection(before: DocumentRecord | None, rejection: DocumentRejected) -> DocumentRecord:
    """The record once a submission was turned away. What is indexed stays as it is."""
    happening = DocumentHappening(
        state=DocumentState.REJECTED,
        submission_id=rejection.submission_id,
        source=rejection.source,
        revision=rejection.revision,
        submitted_at=rejection.submitted_at,
        accepted_at=rejection.accepted_at,
        happened_at=rejection.rejected_at,
        stage=rejection.stage,
        code=rejection.code,
        detail=rejection.detail,
    )
    timeline = _timeline_with(before, happening)
    state = _state(timeline)
    if before is not None:
        return before.model_copy(update={"state": state, "timeline": timeline})
    return DocumentRecord(
        tenant=rejection.tenant, document_id=rejection.document_id, state=state, timeline=timeline
    )


def indexed_event(
    record: DocumentRecord, document: DocumentChunked, *, index: str
) -> DocumentIndexed | None:
    """The event that told of this revision, if the record shows that it was applied to `index`."""
    if (record.revision, record.index) != (document.revision, index):
        return None
    searchable_at = [
        happening.happened_at
        for happening in record.timeline
        if happening.revision == document.revision and happening.state is not DocumentState.REJECTED
    ]
    if not searchable_at or record.encoder_version is None:
        return None
    return DocumentIndexed.model_validate(
        {**dict(document), **dict(record), "searchable_at": searchable_at[0]}
    )


def _timeline_with(
    before: DocumentRecord | None, happening: DocumentHappening
) -> tuple[DocumentHappening, ...]:
    """The timeline with the happening in its place; telling it again changes nothing.

    A submission that its sender repeated may have several revisions; it happened once.
    """
    same = (happening.submission_id, happening.state)
    known = before.timeline if before else ()
    others = [each for each in known if (each.submission_id, each.state) != same]
    ordered = sorted([*others, happening], key=lambda each: each.happened_at)
    return tuple(ordered[-TIMELINE_LENGTH:])


def _state(timeline: tuple[DocumentHappening, ...]) -> DocumentState:
    """What the newest submission came to.

    Of accepted submissions the highest revision is the newest. One that was turned away before it
    got a revision counts if it was submitted after that.
    """
    accepted = [each for each in timeline if each.revision is not None]
    newest = max(accepted, key=lambda each: each.revision or 0, default=None)
    rejections = [
        each
        for each in timeline
        if each.revision is None and (newest is None or each.submitted_at > newest.submitted_at)
    ]
    return rejections[-1].state if rejections or newest is None else newest.state
