"""Which index a tenant's documents go to, and which one is filled beside it."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gyre_common.errors import Retryable
from gyre_common.events.documents import DocumentChunked, DocumentRejected
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import vectors_of

from gyre_embedder.chunk_index import DocumentKey


@dataclass(frozen=True)
class Target:
    """The index that a document goes to, and the version of the encoder that makes it; `vectors` is
    the version by which vectors are known, as several indexes may hold the same. The `shadow` is
    filled beside it.
    """

    index: str
    encoder_version: str
    vectors: str
    shadow: "Target | None" = None


def target_of(releases: ReleaseView, tenant: str) -> Target:
    """Raises Retryable: what is live names no index."""
    state = releases.state(tenant, Roles.DOCUMENT_ENCODER)
    live = releases.live(tenant, Roles.DOCUMENT_ENCODER)
    shadow = state.artifact(state.shadow) if state.shadow else None
    if live.index is None:
        raise Retryable(f"document-encoder {live.version} names no index")
    filled = None
    if shadow is not None and shadow.index not in (None, live.index):
        filled = Target(str(shadow.index), shadow.version, vectors_of(shadow))
    return Target(live.index, live.version, vectors_of(live), filled)


def batches(
    documents: Sequence[DocumentChunked], target: Callable[[str], Target]
) -> Iterable[tuple[Target, list[int]]]:
    """Positions of documents for one target each, such that no document comes twice in a batch, and
    its revisions come in order.
    """
    times: Counter[DocumentKey] = Counter()
    batched: dict[tuple[Target, int], list[int]] = {}
    for position, document in enumerate(documents):
        key = key_of(document)
        batched.setdefault((target(document.tenant), times[key]), []).append(position)
        times[key] += 1
    return [(target, positions) for (target, _), positions in batched.items()]


def key_of(document: DocumentChunked | DocumentRejected) -> DocumentKey:
    """The document's identity."""
    return DocumentKey(document.tenant, document.document_id)
