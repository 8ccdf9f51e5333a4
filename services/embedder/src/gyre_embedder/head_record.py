"""How a document's head record changes with what happens to the document. Pure functions."""

from datetime import datetime

from gyre_common.document_index import (
    TIMELINE_LENGTH,
    DocumentHappening,
    DocumentRecord,
    DocumentState,
)
from gyre_common.events.documents import (
    DocumentChunked,
    DocumentIndexed,
    DocumentRejected,
    FindingKind,
    QuarantineVerdict,
    RejectionCode,
    Screening,
)

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

    One that is held is neither, and stands there as quarantined. A deletion names no groups: who
    could read the document may see that it is gone, nobody else.
    """
    happening = DocumentHappening(
        state=_state_of(document),
        submission_id=document.submission_id,
        source=document.source,
        revision=document.revision,
        submitted_at=document.submitted_at,
        accepted_at=document.accepted_at,
        chunked_at=document.chunked_at,
        happened_at=searchable_at,
        screening=document.screening,
        notes=document.notes,
        **_why_held(document),
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
        "screened": _to_look_at(document.screening),
        "timeline": timeline,
    }
    return DocumentRecord.model_validate({**dict(document), **of_revision})


def with_rejection(before: DocumentRecord | None, rejection: DocumentRejected) -> DocumentRecord:
    """The record once a submission was turned away. What is indexed stays as it is; where nothing
    was, it is for those who could have read it. A try at what its sender may not read leaves no
    trace there: many would push out what happened to the document.
    """
    if before is not None and rejection.code is RejectionCode.NAME_RESERVED:
        return before
    happening = DocumentHappening(
        state=DocumentState.REJECTED,
        submission_id=rejection.submission_id,
        acl=rejection.acl,
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
        tenant=rejection.tenant,
        document_id=rejection.document_id,
        state=state,
        acl=rejection.acl,
        timeline=timeline,
    )


def indexed_event(
    record: DocumentRecord, document: DocumentChunked, *, index: str
) -> DocumentIndexed | None:
    """The event that told of this revision, if the record shows that it was applied to `index`, and
    is not held.
    """
    if (record.revision, record.index) != (document.revision, index) or document.held:
        return None
    searchable_at = [
        happening.happened_at
        for happening in record.timeline
        if happening.revision == document.revision
        and happening.state in (DocumentState.INDEXED, DocumentState.DELETED)
    ]
    if not searchable_at or record.encoder_version is None:
        return None
    return DocumentIndexed.model_validate(
        {**dict(document), **dict(record), "searchable_at": searchable_at[0]}
    )


def screening_of(record: DocumentRecord) -> Screening | None:
    """What the record's revision was last screened to hold."""
    last = _last_applied(record)
    return last.screening if last else None


def is_applied(record: DocumentRecord, document: DocumentChunked) -> bool:
    """Whether it is this revision that the record tells of, held or let in as it is here."""
    return (record.revision, screening_of(record)) == (document.revision, document.screening)


def is_overtaken(record: DocumentRecord, document: DocumentChunked) -> bool:
    """Whether the record tells of a higher revision, or of what was decided of this one later."""
    if record.revision != document.revision:
        return record.revision > document.revision
    last = _last_applied(record)
    if is_applied(record, document) or last is None or last.chunked_at is None:
        return False
    return document.chunked_at is not None and last.chunked_at > document.chunked_at


def _last_applied(record: DocumentRecord) -> DocumentHappening | None:
    own = [
        each
        for each in record.timeline
        if each.revision == record.revision and each.state is not DocumentState.REJECTED
    ]
    return own[-1] if own else None


def _why_held(document: DocumentChunked) -> dict[str, str]:
    """Stage, code and detail, as a rejection has them."""
    if document.screening is None or not document.held:
        return {}
    seen = [f"{each.position}: {each.sentence}" for each in document.screening.findings]
    code = document.screening.findings[0].kind
    return {"stage": "quarantine", "code": code, "detail": "; ".join(seen)}


def _to_look_at(screening: Screening | None) -> tuple[FindingKind, ...]:
    if screening is None or screening.verdict is QuarantineVerdict.RELEASED:
        return ()
    return tuple(dict.fromkeys(finding.kind for finding in screening.findings))


def _state_of(document: DocumentChunked) -> DocumentState:
    if document.deleted:
        return DocumentState.DELETED
    return DocumentState.QUARANTINED if document.held else DocumentState.INDEXED


def _timeline_with(
    before: DocumentRecord | None, happening: DocumentHappening
) -> tuple[DocumentHappening, ...]:
    """The timeline with the happening in its place; telling it again changes nothing.

    A submission that its sender repeated may have several revisions; it happened once. What was
    seen in a revision, or not read of it, goes with it: others may read the next one.
    """
    same = (happening.submission_id, happening.state)
    known = before.timeline if before else ()
    others = [
        _without_content(each) if each.revision != happening.revision else each
        for each in known
        if (each.submission_id, each.state) != same
    ]
    ordered = sorted([*others, happening], key=lambda each: each.happened_at)
    return tuple(ordered[-TIMELINE_LENGTH:])


def _without_content(happening: DocumentHappening) -> DocumentHappening:
    happening = happening.model_copy(update={"notes": ()})
    screening = happening.screening
    if screening is None:
        return happening
    findings = tuple(each.model_copy(update={"sentence": ""}) for each in screening.findings)
    screening = screening.model_copy(update={"findings": findings})
    return happening.model_copy(update={"screening": screening, "detail": ""})


def _state(timeline: tuple[DocumentHappening, ...]) -> DocumentState:
    """What the newest submission came to.

    Of accepted submissions the highest revision is the newest, and of what became of that one the
    last: it may have been held and then released. One that was turned away before it got a revision
    counts if it was submitted after that, unless it is the very same, accepted when it came again.
    """
    accepted = [each for each in timeline if each.revision is not None]
    newest = max(accepted, key=_revision_and_time, default=None)
    rejections = [
        each
        for each in timeline
        if each.revision is None and (newest is None or _is_newer(each, newest))
    ]
    return rejections[-1].state if rejections or newest is None else newest.state


def _is_newer(rejection: DocumentHappening, accepted: DocumentHappening) -> bool:
    return (
        rejection.submission_id != accepted.submission_id
        and rejection.submitted_at > accepted.submitted_at
    )


def _revision_and_time(happening: DocumentHappening) -> tuple[int, datetime]:
    return happening.revision or 0, happening.happened_at
