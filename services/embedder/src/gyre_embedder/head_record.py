"""How a document's head record changes with what happens to the document. Pure functions."""

from datetime import datetime

from gyre_common.document_index import (
    TIMELINE_LENGTH,
    DocumentHappening,
    DocumentRecord,
    DocumentState,
)
from gyre_common.events.documents import DocumentChunked, DocumentIndexed, DocumentRejected


def with_revision(
    before: DocumentRecord | None,
    document: DocumentChunked,
    *,
    index: str,
    encoder_version: str,
    chunk_count: int,
    encoded_count: int,
    searchable_at: datetime,
) -> DocumentRecord:
    """The record once a revision is searchable, or gone if it was a deletion.

    A deletion names no groups: who could read the document may see that it is gone, nobody else.
    """
    happening = DocumentHappening(
        state=DocumentState.DELETED if document.deleted else DocumentState.INDEXED,
        submission_id=document.submission_id,
        revision=document.revision,
        submitted_at=document.submitted_at,
        happened_at=searchable_at,
    )
    timeline = _timeline_with(before, happening)
    return DocumentRecord(
        tenant=document.tenant,
        document_id=document.document_id,
        state=_state(timeline),
        title=document.title,
        media_type=document.media_type,
        source_uri=document.source_uri,
        metadata=document.metadata,
        acl=before.acl if before and document.deleted else document.acl,
        revision=document.revision,
        content_digest=document.content_digest,
        chunk_count=chunk_count,
        encoded_count=encoded_count,
        index=index,
        encoder_version=encoder_version,
        timeline=timeline,
    )


def with_rejection(before: DocumentRecord | None, rejection: DocumentRejected) -> DocumentRecord:
    """The record once a submission was turned away. What is indexed stays as it is."""
    happening = DocumentHappening(
        state=DocumentState.REJECTED,
        submission_id=rejection.submission_id,
        revision=rejection.revision,
        submitted_at=rejection.submitted_at,
        happened_at=rejection.rejected_at,
        code=rejection.code,
        detail=rejection.detail,
    )
    timeline = _timeline_with(before, happening)
    record = before or DocumentRecord(
        tenant=rejection.tenant,
        document_id=rejection.document_id,
        state=DocumentState.REJECTED,
    )
    return record.model_copy(update={"state": _state(timeline), "timeline": timeline})


def indexed_event(
    record: DocumentRecord, document: DocumentChunked, *, index: str
) -> DocumentIndexed | None:
    """The event that told of this revision, if the record shows that it was applied to `index`."""
    if record.revision != document.revision or record.index != index:
        return None
    searchable_at = next(
        (
            happening.happened_at
            for happening in record.timeline
            if happening.revision == document.revision
            and happening.state is not DocumentState.REJECTED
        ),
        None,
    )
    if searchable_at is None or record.encoder_version is None:
        return None
    return DocumentIndexed(
        tenant=document.tenant,
        document_id=document.document_id,
        revision=document.revision,
        submission_id=document.submission_id,
        deleted=document.deleted,
        index=record.index,
        encoder_version=record.encoder_version,
        chunk_count=record.chunk_count,
        encoded_count=record.encoded_count,
        submitted_at=document.submitted_at,
        searchable_at=searchable_at,
    )


def _timeline_with(
    before: DocumentRecord | None, happening: DocumentHappening
) -> tuple[DocumentHappening, ...]:
    """The timeline with the happening in its place; telling it again changes nothing."""
    others = [each for each in before.timeline if not _is_same(each, happening)] if before else []
    ordered = sorted([*others, happening], key=lambda each: each.happened_at)
    return tuple(ordered[-TIMELINE_LENGTH:])


def _is_same(one: DocumentHappening, other: DocumentHappening) -> bool:
    """A submission that its sender repeated may have several revisions; it happened once."""
    return (one.submission_id, one.state) == (other.submission_id, other.state)


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
