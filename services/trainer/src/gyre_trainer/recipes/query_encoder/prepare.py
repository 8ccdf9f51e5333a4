"""Verb `prepare`: freezes what is learned from, and what it is learned against."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from gyre.retriever.v1 import retriever_pb2_grpc
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import now
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.rpc import channel
from gyre_common.store import Shelf, Store, digest_of

from gyre_trainer import data_sets
from gyre_trainer.data_sets.freezing import freeze
from gyre_trainer.data_sets.resolving import Reference, question_texts
from gyre_trainer.recipes.query_encoder.base_model import base_folder
from gyre_trainer.recipes.query_encoder.comparison.questions import DataSetQuestion
from gyre_trainer.recipes.query_encoder.comparison.ranking import Legs
from gyre_trainer.recipes.query_encoder.corpus import Snapshot, snapshot
from gyre_trainer.recipes.query_encoder.files import Inputs, QueryEncoderFiles
from gyre_trainer.recipes.query_encoder.inputs import base_digest
from gyre_trainer.recipes.query_encoder.live_search import Asker, LiveSearch, live_versions
from gyre_trainer.recipes.query_encoder.rows import (
    RemainingQuestions,
    judged_passages,
    remaining_questions,
)
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import Prepared, RunFolder, RunSpec, write_json
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.settings import TrainerSettings

_TELL_EVERY = 25
_INDEX_SECONDS = 120.0
"""How long it waits for Elasticsearch."""


async def prepare(folder: RunFolder, settings: TrainerSettings) -> None:
    """Write the data set, the corpus, what live found, `inputs.json` and at last `prepared.json`.

    Raises:
        FailedPrecondition: there is too little to learn from, or the base model is broken.
        Retryable: an engine, the store or a service is away.
    """
    spec = folder.spec()
    frozen = await freeze_and_store(folder, spec, settings)
    texts = await question_texts_of(folder, frozen, settings)
    judged = judged_passages(frozen, (data_sets.TRAIN, data_sets.GATE))
    corpus_snapshot = await corpus_of(folder, spec, settings, judged)
    remaining = remaining_questions(frozen, data_sets.TRAIN, corpus_snapshot.chunk_ids, texts)
    check_enough(remaining, spec.profile)
    folder.progress("prepare", message="checking the base model")
    models = ModelFolders(Store(settings.store_url), settings.model_cache)
    base = await retry_while_away(
        lambda: base_folder(models, spec.live[Roles.DOCUMENT_ENCODER]), seconds=STORE_SECONDS
    )
    await _live(folder, spec, settings, remaining.rows)
    inputs = Inputs(
        base_folder=str(base),
        base_digest=base_digest(base),
        data_set=frozen.digest,
        corpus_digest=corpus_snapshot.digest,
        questions_digest=digest_of(QueryEncoderFiles(folder).questions.read_bytes()),
    )
    write_json(QueryEncoderFiles(folder).inputs, inputs)
    prepared = _prepared_from(frozen, dropped_note(remaining.before - len(remaining.rows)))
    if prepared.note:
        folder.progress("prepare", message=prepared.note)
    write_json(folder.prepared_file, prepared)


def dropped_note(questions: int) -> str:
    """What to say of the training questions that deletions have taken; nothing of none."""
    if not questions:
        return ""
    many = "question" if questions == 1 else "questions"
    return (
        f"{questions:,} {many} taught nothing, because what people liked for them was deleted or "
        "replaced"
    )


def check_enough(remaining: RemainingQuestions, profile: str) -> None:
    """Raises FailedPrecondition when deletions have taken what the profile asks for."""
    least = data_sets.profile_named(profile).train_questions
    if len(remaining.rows) < least:
        raise FailedPrecondition(
            f"{len(remaining.rows):,} of {remaining.before:,} questions are left to train on, "
            "because the passages that people liked were deleted or replaced since, and profile "
            f"{profile} needs {least:,}: collect votes on documents that are there"
        )


async def freeze_and_store(
    folder: RunFolder, spec: RunSpec, settings: TrainerSettings
) -> data_sets.FrozenDataSet:
    """The data set, in the store and in the folder. A store that is away is waited for."""
    folder.progress("prepare", message="freezing the data set")
    segments = Segments(Shelf(settings.store_url, FOLDER))
    profile = data_sets.profile_named(spec.profile)
    frozen = await retry_while_away(
        lambda: freeze(segments, tenant=spec.tenant, profile=profile, window=spec.window),
        seconds=STORE_SECONDS,
    )
    store = data_sets.DataSetStore(
        Store(settings.store_url), Shelf(settings.store_url, data_sets.FOLDER)
    )
    await retry_while_away(lambda: store.keep(frozen, now()), seconds=STORE_SECONDS)
    data_sets.write_folder(frozen, folder.data_set)
    return frozen


async def question_texts_of(
    folder: RunFolder, frozen: data_sets.FrozenDataSet, settings: TrainerSettings
) -> Mapping[Reference, str]:
    """What the data set's questions say, also in the folder: training reads it there."""
    segments = Segments(Shelf(settings.store_url, FOLDER))
    texts = await retry_while_away(lambda: question_texts(frozen, segments), seconds=STORE_SECONDS)
    lines = (
        {"tenant": tenant, "question_id": question_id, "question": text}
        for (tenant, question_id), text in sorted(texts.items())
    )
    _write_lines(QueryEncoderFiles(folder).questions, lines)
    return texts


async def corpus_of(
    folder: RunFolder, spec: RunSpec, settings: TrainerSettings, required: Collection[str]
) -> Snapshot:
    """The passages of the live index. An Elasticsearch that is away is waited for."""
    index = spec.live[Roles.DOCUMENT_ENCODER].index
    if index is None:
        raise FailedPrecondition("the live document encoder names no index")
    folder.progress("prepare", message="taking a snapshot of the corpus")
    async with open_elasticsearch(
        settings.elasticsearch_url, settings.elasticsearch_login
    ) as client:
        return await retry_while_away(
            lambda: snapshot(
                client,
                index,
                tenant=spec.tenant,
                required=required,
                rows=QueryEncoderFiles(folder).corpus_rows,
                vectors=QueryEncoderFiles(folder).corpus_vectors,
                on_progress=lambda passage_count: folder.progress(
                    "prepare", message=f"taking a snapshot of the corpus: {passage_count} passages"
                ),
            ),
            seconds=_INDEX_SECONDS,
        )


async def _live(
    folder: RunFolder, spec: RunSpec, settings: TrainerSettings, rows: Sequence[DataSetQuestion]
) -> None:
    """What live finds for each question, with the raw score of each leg."""
    askers = {row.question_id: Asker(row.tenant, row.acl, row.question) for row in rows}

    def on_progress(done: int, of: int) -> None:
        if done % _TELL_EVERY == 0 or done == of:
            folder.progress("prepare", done, of, message="asking live the training questions")

    async with AsyncExitStack() as stack:
        opened = channel(settings.retriever_address, key=settings.key)
        stub = retriever_pb2_grpc.RetrieverServiceStub(await stack.enter_async_context(opened))
        retriever = LiveSearch(stub.Retrieve, live_versions(spec))
        legs = await retriever.legs(askers, on_progress)
    _write_lines(
        QueryEncoderFiles(folder).live,
        (_line(row.question_id, legs[row.question_id]) for row in rows),
    )


def _line(question_id: str, legs: Legs) -> Mapping[str, object]:
    return {
        "question_id": question_id,
        "legs": [[hit.chunk_id, hit.bm25, hit.dense, hit.fused] for hit in legs.hits],
        "spans": {name: [span.least, span.greatest] for name, span in legs.spans.items()},
    }


def _write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, sort_keys=True) + "\n")


def _prepared_from(frozen: data_sets.FrozenDataSet, note: str) -> Prepared:
    card = frozen.card
    return Prepared.model_validate(
        {
            "data_set": frozen.digest,
            "note": note,
            "window": card["window"],
            "votes": card["votes"],
            "first_vote_at": card["first_vote_at"],
            "last_vote_at": card["last_vote_at"],
        }
    )
