"""Documents that came within another one: an archive's files, a mail's attachments."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from gyre_common.dated_store import DatedStore
from gyre_common.document_index import record_key
from gyre_common.errors import NotFound
from gyre_common.events.documents import DOCUMENT_SUBMITTED, DocumentSubmitted
from gyre_common.events.event import derived_id
from gyre_common.events.publisher import Publisher
from gyre_common.store import Shelf
from pydantic import BaseModel

from gyre_ingestor.formats import FORMATS
from gyre_ingestor.media_types import MediaType
from gyre_ingestor.reading import ProcessReader
from gyre_ingestor.unpacking import UnpackedFile

FOLDER = "parts"
_PIECE = 1024 * 1024
_AT_ONCE = 32
_EARLIER = 3
"""Submissions before the last whose parts are known, for who still follows them."""


class PartsList(BaseModel, frozen=True):
    """Paths of the documents within one, as its submission left them; those of `earlier` ones are
    what they were as long as each was the last.
    """

    submission_id: UUID
    paths: tuple[str, ...]
    earlier: Mapping[UUID, tuple[str, ...]] = {}

    def of(self, submission_id: str) -> "PartsList | None":
        """As that submission left it; None where it is none of the last few."""
        lists = {self.submission_id: self.paths, **self.earlier}
        known = {str(each): PartsList(submission_id=each, paths=lists[each]) for each in lists}
        return known.get(submission_id)

    def before(self, submission_id: UUID) -> Mapping[UUID, tuple[str, ...]]:
        """What is `earlier` to that submission, which may have been here before."""
        if submission_id == self.submission_id:
            return self.earlier
        lists = [(self.submission_id, self.paths), *self.earlier.items()]
        return dict(lists[:_EARLIER])

    def submission_of(self, path: str) -> UUID:
        """The id of that part's own submission."""
        return derived_id(self.submission_id, f"part/{path}")


class Parts:
    """Submits what a document holds, and deletes what it held and holds no more.

    A list of the parts stands under the document's key. It grows before parts are submitted and
    shrinks after they are deleted, so a crash at any moment only means that it is done once more.
    The records of one document come one after another, so nobody else writes its list.

    Raises, from every method: Retryable when the store or Kafka is out of reach.
    """

    def __init__(
        self, reader: ProcessReader, uploads: DatedStore, lists: Shelf, publisher: Publisher
    ) -> None:
        self._reader = reader
        self._uploads = uploads
        self._lists = lists
        self._publisher = publisher

    async def of(self, tenant: str, document_id: str, submission_id: str = "") -> PartsList | None:
        """What came within it, by that submission or the last; None where nothing did."""
        try:
            data = await self._lists.get(_name(tenant, document_id))
        except NotFound:
            return None
        last = PartsList.model_validate_json(data)
        return last.of(submission_id) if submission_id else last

    async def replace(
        self,
        whole: DocumentSubmitted,
        submission_id: UUID,
        content: bytes = b"",
        media_type: MediaType | None = None,
    ) -> None:
        """Make the parts of a document those that its content has; without one there are none.

        Raises DocumentRefused: it cannot be unpacked, and everything stays as it was.
        """
        before = await self.of(whole.tenant, whole.document_id)
        old_paths = before.paths if before else ()
        with TemporaryDirectory() as folder:
            files: Sequence[UnpackedFile] = ()
            if media_type is not None and FORMATS[media_type.name].members is not None:
                files = await self._reader.unpack(
                    content, media_type, whole.tenant, whole.document_id, Path(folder)
                )
            if not files and not before:
                return
            paths = tuple(each.path for each in files)
            both = tuple(dict.fromkeys([*old_paths, *paths]))
            earlier = before.before(submission_id) if before else {}
            after = PartsList(submission_id=submission_id, paths=both, earlier=earlier)
            await self._write(whole, after)
            parts: list[DocumentSubmitted] = []
            for first in range(0, len(files), _AT_ONCE):
                some = files[first : first + _AT_ONCE]
                parts += await asyncio.gather(*(self._part(whole, each) for each in some))
        present = frozenset(paths)
        gone = [_deletion(whole, path) for path in old_paths if path not in present]
        after = after.model_copy(update={"paths": paths})
        await self._submit(after, whole, [*parts, *gone])
        await self._write(whole, after)

    async def _part(self, whole: DocumentSubmitted, unpacked: UnpackedFile) -> DocumentSubmitted:
        upload = await self._uploads.put_stream(_pieces(unpacked.file))
        return whole.model_copy(
            update={
                "document_id": f"{whole.document_id}/{unpacked.path}",
                "part_of": whole.document_id,
                "content_uri": upload.uri,
                "text": None,
                "content_base64": None,
                "title": None,
                "media_type": None,
            }
        )

    async def _submit(
        self, parts: PartsList, whole: DocumentSubmitted, submissions: Sequence[DocumentSubmitted]
    ) -> None:
        for first in range(0, len(submissions), _AT_ONCE):
            await asyncio.gather(
                *(
                    self._publisher.publish(
                        DOCUMENT_SUBMITTED,
                        each,
                        event_id=parts.submission_of(path_of(whole.document_id, each.document_id)),
                    )
                    for each in submissions[first : first + _AT_ONCE]
                )
            )

    async def _write(self, whole: DocumentSubmitted, parts: PartsList) -> None:
        name = _name(whole.tenant, whole.document_id)
        if parts.paths:
            await self._lists.replace(name, parts.model_dump_json().encode())
        else:
            await self._lists.delete(name)


def path_of(document_id: str, part_id: str) -> str:
    """A part's path, by the names of both."""
    return part_id.removeprefix(f"{document_id}/")


def _deletion(whole: DocumentSubmitted, path: str) -> DocumentSubmitted:
    return DocumentSubmitted(
        tenant=whole.tenant,
        document_id=f"{whole.document_id}/{path}",
        part_of=whole.document_id,
        deleted=True,
        submitted_at=whole.submitted_at,
        writer_groups=whole.writer_groups,
    )


def _name(tenant: str, document_id: str) -> str:
    return f"{tenant}/{record_key(tenant, document_id)}.json"


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as content:
        while piece := content.read(_PIECE):
            yield piece
