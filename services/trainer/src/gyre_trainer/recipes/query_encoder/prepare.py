"""Verb `prepare`: freezes what is learned from, and what it is learned against."""

import hashlib
import heapq
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import ScanError, async_scan
from gyre_common.chunk_index import VECTOR
from gyre_common.elasticsearch import elasticsearch_errors, open_elasticsearch
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.event import EVERY_TENANT, now
from gyre_common.events.releases import Artifact, Roles
from gyre_common.model_folders import ModelFolders, digest_of_file
from gyre_common.redaction import redact
from gyre_common.store import Shelf, Store
from numpy.typing import NDArray

from gyre_trainer.data_sets.data_set_store import FOLDER as DATA_SETS
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.freezing import freeze, question_texts
from gyre_trainer.data_sets.frozen import (
    GATE,
    TRAIN,
    DataSetRow,
    FrozenDataSet,
    Reference,
    without_deleted,
    write_folder,
)
from gyre_trainer.data_sets.profiles import profile_named
from gyre_trainer.recipes.query_encoder.inputs import (
    Inputs,
    QueryEncoderFiles,
    base_digest,
    file_digest,
)
from gyre_trainer.recipes.query_encoder.live_search import Asker, ask_live
from gyre_trainer.recipes.query_encoder.moved_passages import (
    JudgedPassage,
    Moved,
    judged_passages,
    missing_of,
    moved_note,
    moved_to,
    with_moved,
)
from gyre_trainer.recipes.query_encoder.ranking import LiveHits
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import Prepared, RunFolder, RunSpec, write_json
from gyre_trainer.runs.verbs import PREPARE
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.settings import TrainerSettings

MOST_CHUNKS = 50_000
_PAGE = 500
_TIMEOUT, _INDEX_SECONDS = 30.0, 120.0
"""How long a request may take, and how long it waits for Elasticsearch."""

_FIELDS = ("chunk_id", "tenant", "acl", "document_id", "title", "text")

IndexedPassage = Mapping[str, Any]
Vector = NDArray[np.float32]


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """`prepared.json` is last. Raises FailedPrecondition: too little to learn from, or a broken
    base; Retryable: an engine, the store or a service is away.
    """
    spec, files = folder.spec(), QueryEncoderFiles(folder)
    segments = Segments(Shelf(settings.store_url, FOLDER))
    frozen = await freeze_and_store(folder, spec, segments, settings)
    texts = await retry_while_away(lambda: question_texts(frozen, segments), seconds=STORE_SECONDS)
    lines = [
        {"tenant": tenant, "question_id": question_id, "question": text}
        for (tenant, question_id), text in sorted(texts.items())
    ]
    _write_lines(files.questions, lines)
    train, gate = frozen.rows(TRAIN), frozen.rows(GATE)
    shown = [passage for row in (*train, *gate) for passage in row.shown]
    judged = {passage.chunk_id for passage in shown if passage.label is not None}
    old_passages = await retry_while_away(
        lambda: judged_passages(frozen, segments, judged), seconds=STORE_SECONDS
    )
    chunk_ids, moved, lost = await corpus_of(folder, spec, settings, judged, old_passages)
    write_json(files.moved, moved)
    remaining = without_deleted(with_moved(train, moved), chunk_ids)
    check_enough(len(remaining), len(train), spec.profile)
    folder.progress(PREPARE, message="checking the base model")
    models = ModelFolders(Store(settings.store_url), settings.model_cache)
    base = await retry_while_away(
        lambda: base_folder(models, spec.live[Roles.DOCUMENT_ENCODER]), seconds=STORE_SECONDS
    )
    await _write_live(folder, settings, remaining, texts)
    inputs = Inputs(
        base_folder=str(base),
        base_digest=base_digest(base),
        data_set=frozen.digest,
        corpus_digest=file_digest(files.corpus_vectors),
        questions_digest=file_digest(files.questions),
        moved_digest=file_digest(files.moved),
    )
    write_json(files.inputs, inputs)
    notes = [moved_note(len(moved), lost), dropped_note(len(train) - len(remaining))]
    note = "; ".join(filter(None, notes))
    if note:
        folder.progress(PREPARE, message=note)
    prepared = Prepared(
        data_set=frozen.digest,
        note=note,
        window=frozen.card["window"],
        votes=frozen.card["votes"],
        first_vote_at=frozen.card["first_vote_at"],
        last_vote_at=frozen.card["last_vote_at"],
    )
    write_json(folder.prepared_file, prepared)


async def freeze_and_store(
    folder: RunFolder, spec: RunSpec, segments: Segments, settings: TrainerSettings
) -> FrozenDataSet:
    """The data set, in the store and in the folder. A store that is away is waited for."""
    folder.progress(PREPARE, message="freezing the data set")
    profile = profile_named(spec.profile)
    frozen = await retry_while_away(
        lambda: freeze(segments, tenant=spec.tenant, profile=profile, window=spec.window),
        seconds=STORE_SECONDS,
    )
    shelf = Shelf(settings.store_url, DATA_SETS)
    store = DataSetStore(Store(settings.store_url), shelf)
    await retry_while_away(lambda: store.keep(frozen, now()), seconds=STORE_SECONDS)
    write_folder(frozen, folder.data_set)
    return frozen


async def corpus_of(
    folder: RunFolder,
    spec: RunSpec,
    settings: TrainerSettings,
    judged: Collection[str],
    old_passages: Mapping[str, JudgedPassage],
) -> tuple[frozenset[str], Moved, int]:
    """The passages of the live index, those that stand for judged ones that are not in it any more,
    and how many nothing stands for. An Elasticsearch that is away is waited for.
    """
    index = spec.live[Roles.DOCUMENT_ENCODER].index
    if index is None:
        raise FailedPrecondition("the live document encoder names no index")
    folder.progress(PREPARE, message="taking a snapshot of the corpus")
    url, login = settings.elasticsearch_url, settings.elasticsearch_login
    async with open_elasticsearch(url, login) as client:

        async def take() -> tuple[frozenset[str], Moved, int]:
            missing = await missing_of(client, index, judged)
            gone = {each: old_passages[each] for each in missing if each in old_passages}
            moved = await moved_to(client, index, gone) if gone else {}
            required = {*judged, *moved.values()} - missing
            chunk_ids = await snapshot(client, index, folder, tenant=spec.tenant, required=required)
            return chunk_ids, moved, len(missing) - len(moved)

        return await retry_while_away(take, seconds=_INDEX_SECONDS)


async def snapshot(
    client: AsyncElasticsearch,
    index: str,
    folder: RunFolder,
    *,
    tenant: str,
    required: Collection[str],
    most: int = MOST_CHUNKS,
) -> frozenset[str]:
    """Write passages and vectors, in the order of chunk ids; returns these. Of more than `most`,
    those `required` stay and those with the smallest hash of their id: the same index, the same
    snapshot. Raises FailedPrecondition: no passages of the tenant; Retryable: Elasticsearch or the
    index is away.
    """
    sample = PassageSample(most, frozenset(required))
    # What is encoded ahead of its document has no tenant.
    every = {"exists": {"field": "tenant"}}
    of_tenant = every if tenant == EVERY_TENANT else {"term": {"tenant": tenant}}
    source = {"includes": [*_FIELDS, VECTOR], "exclude_vectors": False}
    query = {"query": of_tenant, "_source": source}
    try:
        with elasticsearch_errors():
            await client.indices.refresh(index=index)
            async for hit in async_scan(
                client, query, index=index, size=_PAGE, request_timeout=_TIMEOUT
            ):
                sample.take(hit["_source"])
                if sample.passage_count % _PAGE == 0:
                    message = f"taking a snapshot of the corpus: {sample.passage_count} passages"
                    folder.progress(PREPARE, message=message)
    except ScanError as error:
        raise Unavailable(f"a part of the index {index} does not answer") from error
    passages = sample.passages()
    if not passages:
        raise FailedPrecondition(
            f"the index {index} holds no passages of {tenant}: submit documents before training"
        )
    files = QueryEncoderFiles(folder)
    _write_lines(files.corpus_rows, (row for row, _ in passages))
    np.save(files.corpus_vectors, np.stack([vector for _, vector in passages]))
    return frozenset(row["chunk_id"] for row, _ in passages)


class PassageSample:
    """Holds the passages that are wanted, and beside them as many others as fit in `most`."""

    def __init__(self, most: int, required: frozenset[str]) -> None:
        self.passage_count = 0
        self._most = most
        self._required = required
        self._always: list[tuple[IndexedPassage, Vector]] = []
        self._heap: list[tuple[int, str, IndexedPassage, Vector]] = []

    def take(self, source: IndexedPassage) -> None:
        """Consider one more passage."""
        self.passage_count += 1
        row = {name: source.get(name) or "" for name in _FIELDS}
        row["acl"] = source.get("acl") or ()
        row |= {name: redact(row[name], row["tenant"]) for name in ("title", "text")}
        vector = np.asarray(source[VECTOR], dtype=np.float32)
        if source["chunk_id"] in self._required:
            self._always.append((row, vector))
        else:
            place = -int.from_bytes(hashlib.sha256(UUID(source["chunk_id"]).bytes).digest()[:8])
            heapq.heappush(self._heap, (place, source["chunk_id"], row, vector))
        while self._heap and len(self._heap) + len(self._always) > self._most:
            heapq.heappop(self._heap)

    def passages(self) -> list[tuple[IndexedPassage, Vector]]:
        """In the order of chunk ids."""
        pairs = [*self._always, *((row, vector) for _, _, row, vector in self._heap)]
        return sorted(pairs, key=lambda pair: str(pair[0]["chunk_id"]))


async def _write_live(
    folder: RunFolder,
    settings: TrainerSettings,
    rows: Sequence[DataSetRow],
    texts: Mapping[Reference, str],
) -> None:
    askers = {}
    for row in rows:
        askers[row.question_id] = Asker(row.tenant, row.acl, texts[row.reference])
    message = "asking live the training questions"
    legs = await ask_live(folder, settings, askers, stage=PREPARE, message=message)
    lines = [
        LiveHits(
            question_id=question_id,
            legs=tuple(legs[question_id].hits),
            spans={
                leg: (each.least, each.greatest) for leg, each in legs[question_id].spans.items()
            },
        )
        for question_id in askers
    ]
    _write_lines(QueryEncoderFiles(folder).live, (line.model_dump() for line in lines))


def check_enough(remaining: int, before: int, profile: str) -> None:
    """Raises FailedPrecondition when deletions have taken what the profile asks for."""
    least = profile_named(profile).train_questions
    if remaining < least:
        raise FailedPrecondition(
            f"{remaining:,} of {before:,} questions are left to train on, because the passages "
            f"that people liked were deleted or replaced since, and profile {profile} needs "
            f"{least:,}: collect votes on documents that are there"
        )


def dropped_note(questions: int) -> str:
    """What to say of the training questions that deletions have taken; nothing of none."""
    if not questions:
        return ""
    many = "question" if questions == 1 else "questions"
    return (
        f"{questions:,} {many} taught nothing, because what people liked for them was deleted or "
        "replaced"
    )


async def base_folder(models: ModelFolders, artifact: Artifact) -> Path:
    """The folder of a version's trainable weights: those of the shipped one lie in a package.
    Raises FailedPrecondition: missing, or not of its digest; Retryable: the store is out of reach.
    """
    package = artifact.settings.get("package")
    if artifact.uri is not None or package is None:
        return await models.folder(artifact)
    return package_folder(package, artifact)


def package_folder(package: str, artifact: Artifact) -> Path:
    """The folder `model` of a Python package; raises FailedPrecondition as `base_folder` does."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise FailedPrecondition(
            f"training from {artifact.version} needs the package {package}: run `make setup-train`"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    digest = digest_of_file(folder / "model.safetensors")
    if digest != artifact.digest:
        raise FailedPrecondition(
            f"{artifact.version} should be {artifact.digest} but {package} holds "
            f"{digest or 'no weights'}: install the package's version that was registered"
        )
    return folder


def _write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n")
