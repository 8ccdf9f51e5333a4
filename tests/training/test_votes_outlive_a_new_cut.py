"""Documents are cut anew, and the votes on the old passages teach as much as before.

Chunker, facts, freezing, search for the moved passages, training and gate are real, on a real
Elasticsearch; the retriever's answers are made of the run's own snapshot.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.documents import Chunk
from gyre_common.events.releases import Roles
from gyre_common.events.training import Decision
from gyre_common.passages import encoder_input
from gyre_common.releases.builtin import built_in_artifacts
from gyre_common.store import Shelf, digest_of
from gyre_embedder.chunk_index import EncodedChunk
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS
from gyre_trainer.recipes.query_encoder import compare, prepare
from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.gate import measure
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles, RunData
from gyre_trainer.recipes.query_encoder.live_search import Asker
from gyre_trainer.recipes.query_encoder.model import (
    TrainableQueryEncoder,
    encode_texts,
    open_base,
    open_tokenizer,
)
from gyre_trainer.recipes.query_encoder.ranking import Legs, LiveHits, exact_legs
from gyre_trainer.recipes.query_encoder.report import GateReport, SliceName, Weights
from gyre_trainer.recipes.query_encoder.train import train
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.segments import FOLDER, Segments
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS
from gyre_trainer.settings import TrainerSettings
from safetensors.torch import load_file

from tests.training.tiny_runs import HIDDEN, never
from tests.unit.trainer.training_facts import MORNING, an_interaction, an_opinion, shown

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

DOCUMENTS, SECTIONS, QUESTIONS, REWRITTEN = 24, 3, 240, 2
LARGE, SMALL = ChunkRecipe(max_tokens=256), ChunkRecipe(max_tokens=96, min_tokens=16)
WINDOW = 32
WEIGHTS = Weights(bm25=0.5, dense=0.5)


class Corpus:
    """Documents of sections, each with words of its own; whoever asks uses other words."""

    def __init__(self) -> None:
        dice = np.random.default_rng(7)
        places = range(DOCUMENTS * SECTIONS)
        self._words = [dice.choice(100, 5, replace=False).tolist() for _ in places]
        self._aliases = [(100 + dice.choice(100, 5, replace=False)).tolist() for _ in places]
        self._dice = dice
        self.texts = [self._text(number) for number in range(DOCUMENTS)]

    def _text(self, document: int) -> str:
        sections = range(document * SECTIONS, (document + 1) * SECTIONS)
        return "\n\n".join(f"# Part {n}\n\n{self._some(self._words[n], 64)}" for n in sections)

    def _some(self, words: Sequence[int], count: int) -> str:
        return " ".join(f"w{word}" for word in self._dice.choice(words, count))

    def question(self, section: int) -> str:
        return self._some(self._aliases[section], 6)

    def rewritten(self) -> list[str]:
        """The first documents say something else now."""
        other = [self._some(self._words[-1 - n], 64) for n in range(REWRITTEN)]
        return [*(f"# News\n\n{text}" for text in other), *self.texts[REWRITTEN:]]


@dataclass(frozen=True)
class Cut:
    """Passages by document, as one recipe cuts them."""

    by_document: Sequence[Sequence[Chunk]]

    def of_section(self, section: int) -> Chunk:
        """The first passage under a section's heading."""
        chunks = self.by_document[section // SECTIONS]
        return next(each for each in chunks if each.heading_path[-1] == f"Part {section}")


def cut(texts: Sequence[str], recipe: ChunkRecipe) -> Cut:
    parsed = [FORMATS["text/markdown"].parse(text.encode(), None) for text in texts]
    return Cut([chunk(each, "acme", f"doc-{at}", "", recipe) for at, each in enumerate(parsed)])


def votes_on(corpus: Corpus, passages: Cut) -> tuple[PartitionFacts, Mapping[str, str]]:
    """Each question is shown three passages and the right one is liked; texts by digest."""
    dice = np.random.default_rng(3)
    interactions, feedback, texts = [], [], {}
    for number in range(QUESTIONS):
        right = int(dice.integers(DOCUMENTS * SECTIONS))
        others = (int(each) for each in dice.integers(DOCUMENTS * SECTIONS, size=2))
        hits = []
        for rank, section in enumerate((right, *others), start=1):
            one = passages.of_section(section)
            digest = digest_of(one.text.encode())
            texts[digest] = one.text
            place = {"chunk_id": str(one.chunk_id), "document_id": f"doc-{section // SECTIONS}"}
            hits.append(shown(0, rank, **place, text=digest))
        fact = replace(
            an_interaction(number, acl=(), question=corpus.question(right)), shown=tuple(hits)
        )
        interactions.append(fact)
        for at, value in ((0, "up"), (1, "down")):
            target, actor = hits[at].chunk_id, f"user-{number % 5}"
            feedback.append(
                an_opinion(
                    fact, kind="chunk", value=value, target=target, offset=2 * number + at,
                    actor=actor,
                )
            )  # fmt: skip
    return PartitionFacts(interactions, feedback), texts


class Room:
    """The facts, the engine and the tiny encoder of runs that differ in their index alone."""

    def __init__(self, path: Path, base: Path, url: str, login: tuple[str, str]) -> None:
        self.path = path
        self.settings = TrainerSettings(
            home=path,
            store_url=f"file://{path}/store",
            elasticsearch_url=url,
            elasticsearch_user=login[0],
            elasticsearch_password=login[1],
        )
        self.base = base
        self._login = login
        self._tokenizer = open_tokenizer(base, WINDOW)
        self.encoder = open_base(base, HIDDEN)

    def encode(self, texts: Sequence[str], encoder: TrainableQueryEncoder) -> np.ndarray:
        return encode_texts(encoder, self._tokenizer, texts)

    async def fill(self, index: str, passages: Cut) -> None:
        async with open_elasticsearch(self.settings.elasticsearch_url, self._login) as client:
            writer = ElasticsearchIndex(client, shards=1, refresh_interval="-1")
            await writer.prepare(index, HIDDEN)
            for number, chunks in enumerate(passages.by_document):
                whole = {"tenant": "acme", "document_id": f"doc-{number}", "revision": 1}
                inputs = [encoder_input("", each.heading_path, each.text) for each in chunks]
                pairs = zip(chunks, self.encode(inputs, self.encoder), strict=True)
                await writer.write(
                    index,
                    [
                        EncodedChunk(IndexedChunk.model_validate({**whole, **dict(c)}), v)
                        for c, v in pairs
                    ],
                    {},
                )

    async def run(self, name: str, index: str, segments: Segments) -> "RunResult":
        """Verb by verb."""
        folder = RunFolder(self.path / name)
        folder.path.mkdir()
        live = {str(role): one for role, one in built_in_artifacts(MORNING).items()}
        own = live[Roles.DOCUMENT_ENCODER].model_copy(update={"index": index})
        window = await segments.durable()
        spec = {
            "run_id": str(UUID(int=1)), "tenant": "acme", "recipe": "query-encoder",
            "role": "query-encoder", "profile": "demo", "actor": "ann", "version": "votes-1",
            "live": {
                role: one.model_dump(mode="json")
                for role, one in {**live, Roles.DOCUMENT_ENCODER.value: own}.items()
                if role in ("document-encoder", "query-encoder", "retrieval")
            },
            "window": window, "started_at": MORNING.isoformat(),
            "settings": {"batch": "16", "epochs": "12", "rehearsal": "0", "learning_rate": "3e-3"},
        }  # fmt: skip
        folder.spec_file.write_text(json.dumps(spec, default=str))
        await prepare.prepare(folder, self.settings)
        train(folder, Variant.FULL, never)
        data = RunData(folder)
        questions = compare._questions(data)
        tuned = open_base(self.base, HIDDEN)
        state = load_file(folder.variant(Variant.FULL) / "tuned.safetensors")
        tuned.bert.load_state_dict(state, strict=False)
        texts = {one.question_id: one.text for one in (*questions.validation, *questions.held_out)}
        report = measure(
            folder.spec(), folder.prepared().data_set, questions,
            live=self.legs(folder, texts, self.encoder),
            candidate=self.legs(folder, texts, tuned),
        )  # fmt: skip
        return RunResult(folder.prepared().note, report)

    def legs(
        self, folder: RunFolder, texts: Mapping[str, str], encoder: TrainableQueryEncoder
    ) -> dict[str, Legs]:
        """What a retriever with that encoder finds in the run's snapshot, by vectors alone."""
        files = QueryEncoderFiles(folder)
        rows = [json.loads(line) for line in files.corpus_rows.open()]
        positions = {row["chunk_id"]: at for at, row in enumerate(rows)}
        similarity = self.encode(list(texts.values()), encoder) @ np.load(files.corpus_vectors).T
        legs = {}
        for question_id, scores in zip(texts, similarity, strict=True):
            hits = LiveHits(question_id=question_id)
            exact = exact_legs(hits, scores, positions, depth=len(rows))
            by_id = {hit.chunk_id: hit for hit in exact.hits}
            legs[question_id] = replace(
                exact, hits=[by_id[chunk_id] for chunk_id in exact.ranked(WEIGHTS)]
            )
        return legs


@dataclass(frozen=True)
class RunResult:
    """What a run said of its data, and what the gate said of the candidate."""

    note: str
    report: GateReport

    def overall(self) -> tuple[float, float]:
        """nDCG@10 of live and of the candidate."""
        (one,) = (each for each in self.report.slices if each.name is SliceName.OVERALL)
        assert one.live is not None
        assert one.candidate is not None
        return one.live, one.candidate


@pytest.fixture
def room(
    tmp_path: Path,
    tiny_base: Path,
    elasticsearch_url: str,
    elasticsearch_login: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Room:
    room = Room(tmp_path, tiny_base, elasticsearch_url, elasticsearch_login)

    async def base_folder(*_: object) -> Path:
        return tiny_base

    async def ask_live(
        folder: RunFolder, _: object, askers: Mapping[str, Asker], **_words: object
    ) -> dict[str, Legs]:
        return room.legs(folder, {name: one.text for name, one in askers.items()}, room.encoder)

    monkeypatch.setattr(prepare, "base_folder", base_folder)
    monkeypatch.setattr(prepare, "ask_live", ask_live)
    return room


async def test_votes_on_passages_that_were_cut_anew_teach_as_much_as_before(
    room: Room,
) -> None:
    corpus = Corpus()
    large = cut(corpus.texts, LARGE)
    facts, texts = votes_on(corpus, large)
    segments = Segments(Shelf(room.settings.store_url, FOLDER))
    await segments.append(FEEDBACK, 0, facts.feedback)
    await segments.append(INTERACTIONS, 0, facts.interactions, texts)
    before, after = f"test-cut-{uuid4()}", f"test-cut-{uuid4()}"
    await room.fill(before, large)
    await room.fill(after, cut(corpus.rewritten(), SMALL))

    old = await room.run("old", before, segments)
    new = await room.run("new", after, segments)

    (_, learned), (live_anew, learned_anew) = old.overall(), new.overall()
    judged = {vote.target for vote in facts.feedback}
    gone = {
        str(one.chunk_id) for chunks in large.by_document[:REWRITTEN] for one in chunks
    } & judged
    assert old.note == ""
    assert f"{len(judged) - len(gone):,} of {len(judged):,} judged passages" in new.note
    assert "taught nothing, because what people liked" in new.note
    assert new.report.without_good > 0
    assert old.report.verdict is Decision.PASSED
    assert new.report.verdict is not Decision.REFUSED
    assert learned_anew > live_anew + 0.02
    assert learned_anew == pytest.approx(learned, abs=0.08)
