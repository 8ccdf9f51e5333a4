"""The demonstration's own parts: what is generated, what the crowd says, what is measured."""

import sys
from collections.abc import Callable
from math import log2
from pathlib import Path
from random import Random
from subprocess import PIPE, Popen
from typing import Any

import psutil
import pytest
from gyre.feedback.v1 import feedback_pb2
from gyre.generator.v1 import generator_pb2
from gyre.releases.v1 import releases_pb2, releases_pb2_grpc
from gyre.retriever.v1 import retriever_pb2, retriever_pb2_grpc
from gyre.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from gyre_cli.demo.corpus import FULL, SHORT, DemoQuestion, generate
from gyre_cli.demo.costs import StageCosts, in_words, spent_by
from gyre_cli.demo.crowd import Crowd, CrowdTally, Habits
from gyre_cli.demo.measures import compare, ndcg, slices
from gyre_cli.demo.story import until_live
from gyre_cli.demo.training import stop_training
from gyre_client import Addresses, AsyncClient, Caller
from gyre_client.submission import in_turns
from gyre_common.errors import NotFound
from gyre_common.rpc import serve
from ir_measures import Qrel, ScoredDoc, calc_aggregate, nDCG

ALWAYS = Habits(wrong=0, skipped=0, down=1, click=0, stray_click=0, patience=0, actors=3)


class FakeSystem:
    """Answers every question with the same passages, and keeps what is said of them."""

    def __init__(self, passages: list[str]) -> None:
        self._passages = passages
        self.recorded: list[feedback_pb2.SubmitFeedbackRequest] = []

    def with_caller(self, *, actor: str) -> "FakeSystem":
        return self

    @property
    def answers(self) -> "FakeSystem":
        return self

    @property
    def feedback(self) -> "FakeSystem":
        return self

    async def ask(
        self, question: str, *, idempotency_key: str, timeout: float
    ) -> generator_pb2.AnswerResponse:
        passages = [
            generator_pb2.Passage(chunk_id=f"chunk of {name}", document_id=name, rank=rank)
            for rank, name in enumerate(self._passages, start=1)
        ]
        return generator_pb2.AnswerResponse(interaction_id=question, passages=passages)

    async def record(self, word: feedback_pb2.SubmitFeedbackRequest) -> str:
        self.recorded.append(word)
        return ""


def asking(number: int, relevant: str) -> DemoQuestion:
    return DemoQuestion(f"q{number}", f"question {number}", frozenset({relevant}))


async def crowd_says(
    system: FakeSystem, questions: list[DemoQuestion], habits: Habits, seed: int = 1
) -> CrowdTally:
    fake: Any = system
    crowd = Crowd(fake, habits=habits, seed=seed)
    return await crowd.ask(questions, lambda _: None)


def test_the_same_size_gives_the_same_corpus() -> None:
    assert generate(SHORT) == generate(SHORT)
    assert generate(SHORT) != generate(SHORT, seed=21)


@pytest.mark.parametrize("size", [SHORT, FULL])
def test_documents_hold_no_word_that_stands_for_a_part_in_questions(size: Any) -> None:
    corpus = generate(size)
    words = set(" ".join(d.text for d in corpus.documents).lower().replace("\n", " ").split())
    parts: dict[str, set[str]] = {}
    for question in (*corpus.crowd_questions, *corpus.untouched):
        (document,) = question.relevant
        part = document.split("/")[1]
        mine = {word.strip("?,.:").lower() for word in question.text.split()}
        parts[part] = parts.get(part, mine) & mine
    for part, aliases in parts.items():
        assert any(alias not in words for alias in aliases), part


def test_untouched_questions_are_never_asked_and_half_are_about_documents_nobody_asks_about() -> (
    None
):
    corpus = generate(FULL)
    crowd_ids = {q.question_id for q in corpus.crowd_questions}
    crowd_documents = {key for q in corpus.crowd_questions for key in q.relevant}
    quiet = [q for q in corpus.untouched if not q.relevant & crowd_documents]

    assert not crowd_ids & {q.question_id for q in corpus.untouched}
    assert len(quiet) >= FULL.untouched_each
    assert len(corpus.untouched) == 2 * FULL.untouched_each


async def test_the_crowd_likes_what_answers_its_question_and_nothing_else() -> None:
    system = FakeSystem(["wrong", "right"])
    tally = await crowd_says(system, [asking(1, "right")], ALWAYS)

    votes = {one.target: one.value for one in system.recorded}
    assert votes == {"chunk of wrong": "down", "chunk of right": "up"}
    assert (tally.questions, tally.hits, tally.ups, tally.downs, tally.wrong) == (1, 1, 1, 1, 0)
    assert tally.liked == {"right"}


async def test_what_stands_low_is_seldom_looked_at() -> None:
    system = FakeSystem([f"d{rank}" for rank in range(1, 11)])
    questions = [asking(number, "elsewhere") for number in range(400)]
    habits = Habits(wrong=0, skipped=0, down=1, click=0, stray_click=0, patience=1, actors=9)
    await crowd_says(system, questions, habits)

    votes = [
        sum(one.target == f"chunk of d{rank}" for one in system.recorded) for rank in (1, 4, 10)
    ]
    assert votes[0] == 400
    assert votes[1] == pytest.approx(100, abs=30)
    assert votes[2] == pytest.approx(40, abs=20)


async def test_one_vote_in_ten_is_wrong_and_actors_differ() -> None:
    system = FakeSystem(["right", "wrong"])
    questions = [asking(number, "right") for number in range(500)]
    habits = Habits(wrong=0.1, skipped=0, down=1, click=0, stray_click=0, patience=0, actors=9)
    tally = await crowd_says(system, questions, habits)

    assert tally.votes == 1_000
    assert tally.wrong == pytest.approx(100, abs=30)
    assert len({one.actor for one in system.recorded}) == 9


async def test_the_same_seed_says_the_same() -> None:
    async def feedback_of(seed: int) -> set[tuple[str, str, str]]:
        system = FakeSystem(["a", "b", "c"])
        await crowd_says(system, [asking(n, "b") for n in range(50)], Habits(), seed)
        return {(one.interaction_id, one.target, one.value) for one in system.recorded}

    assert await feedback_of(1) == await feedback_of(1)
    assert await feedback_of(1) != await feedback_of(2)


def test_ndcg_is_that_of_the_definition() -> None:
    assert ndcg(("a", "b"), frozenset({"a"})) == 1
    assert ndcg(("x", "y", "a"), frozenset({"a"})) == pytest.approx(1 / log2(4))
    both = (1 / log2(2) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3))
    assert ndcg(("a", "x", "b"), frozenset({"a", "b"})) == pytest.approx(both)
    assert ndcg(tuple("0123456789a"), frozenset({"a"})) == 0


def test_ndcg_is_that_of_the_library_the_gate_measures_with() -> None:
    chance = Random(7)
    names = [f"d{number}" for number in range(40)]
    for _ in range(200):
        ranking = chance.sample(names, chance.randint(0, 15))
        relevant = frozenset(chance.sample(names, chance.randint(1, 20)))
        run = [ScoredDoc("q", name, -place) for place, name in enumerate(ranking)]
        qrels = [Qrel("q", name, 1) for name in relevant]
        assert ndcg(ranking, relevant) == pytest.approx(
            calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10]
        )


def test_a_comparison_says_how_sure_it_is() -> None:
    questions = [asking(number, "a") for number in range(40)]
    before = {q.question_id: ("x", "a") for q in questions}
    after = {q.question_id: ("a", "x") if n % 2 else ("x", "a") for n, q in enumerate(questions)}
    comparison = compare(questions, before, after)

    assert comparison is not None
    assert comparison.gain == pytest.approx((1 - 1 / log2(3)) / 2)
    assert 0 < comparison.low < comparison.gain < comparison.high
    assert compare([], {}, {}) is None


def test_slices_part_by_what_the_crowd_voted_up() -> None:
    questions = [asking(1, "voted"), asking(2, "not")]
    by_slice = slices(questions, {"voted"})

    assert [len(by_slice[name]) for name in ("all", "voted", "new")] == [2, 1, 1]
    assert by_slice["new"] == [questions[1]]


class FakeTrainer(trainer_pb2_grpc.TrainerServiceServicer):
    """Lists what a tenant may see; remembers what is cancelled."""

    def __init__(self, *runs: trainer_pb2.Run) -> None:
        self._runs = runs
        self.cancelled: list[str] = []

    async def ListRuns(self, request: Any, context: Any) -> trainer_pb2.ListRunsResponse:
        return trainer_pb2.ListRunsResponse(runs=self._runs)

    async def CancelRun(self, request: Any, context: Any) -> trainer_pb2.CancelRunResponse:
        self.cancelled.append(request.run_id)
        return trainer_pb2.CancelRunResponse()


async def test_whoever_stops_the_demonstration_stops_its_training_and_nobody_elses() -> None:
    trainer = FakeTrainer(
        trainer_pb2.Run(run_id="everybody's", tenant="*", state="running"),
        trainer_pb2.Run(run_id="its own", tenant="demo", state="running"),
        trainer_pb2.Run(run_id="over", tenant="demo", state="released"),
    )
    async with (
        serve([trainer]) as server,
        AsyncClient(Addresses(trainer=f"127.0.0.1:{server.port}"), Caller("demo")) as gyre,
    ):
        await stop_training(gyre)
    assert trainer.cancelled == ["its own"]


async def test_a_failure_ends_the_turns_and_comes_out_as_itself() -> None:
    done: list[int] = []

    def work(fails_at: int) -> Callable[[int], Any]:
        async def one(number: int) -> None:
            if number == fails_at:
                raise NotFound("gone")
            done.append(number)

        return one

    with pytest.raises(NotFound):
        await in_turns(range(10), work(3), at_once=1)
    assert done == [0, 1, 2]


def test_cpu_seconds_count_each_process_once() -> None:
    busy = "sum(range(20_000_000)); import sys; print(flush=True); sys.stdin.read()"
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    with Popen([sys.executable, "-c", both], stdin=PIPE, stdout=PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = psutil.Process(parent.pid).children()
        alone = sum(sum(one.cpu_times()[:2]) for one in (psutil.Process(parent.pid), child))
        assert spent_by(parent.pid) == pytest.approx(alone, abs=0.1)
        assert parent.stdin is not None
        parent.stdin.close()
    assert spent_by(parent.pid) == 0.0


def test_the_costs_of_a_run_are_by_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter([60.0, 66.0, 96.0, 216.0])
    monkeypatch.setattr("gyre_cli.demo.costs.cpu_seconds", lambda _: next(spent))
    costs = StageCosts(tmp_path)
    for stage in ("", "prepare", "prepare", "low-rank", "low-rank"):
        costs.see(trainer_pb2.Run(stage=stage))
    assert in_words(costs.finish()) == "prepare 0.5, low-rank 2.0"


def test_a_run_on_another_machine_has_no_costs(tmp_path: Path) -> None:
    costs = StageCosts(tmp_path)
    costs.see(trainer_pb2.Run(stage="prepare"))
    assert costs.finish() == {}


async def test_a_release_is_live_once_all_that_moved_with_it_is() -> None:
    """The encoder and its weights are two records, which come to a service one after the other."""
    released = releases_pb2.ListReleasesResponse(
        releases=[
            releases_pb2.Release(role="query-encoder", live="old"),
            releases_pb2.Release(role="retrieval", live="old-weights"),
        ]
    )
    seen = [
        {"query-encoder": "new", "retrieval": "new-weights", "document-encoder": "all"},
        {"query-encoder": "old", "retrieval": "new-weights", "document-encoder": "all"},
        {"query-encoder": "old", "retrieval": "old-weights", "document-encoder": "all"},
    ]
    searched: list[str] = []

    class Releases(releases_pb2_grpc.ReleaseServiceServicer):
        async def ListReleases(self, *_: Any) -> releases_pb2.ListReleasesResponse:
            return released

    class Retriever(retriever_pb2_grpc.RetrieverServiceServicer):
        async def Retrieve(
            self, request: retriever_pb2.RetrieveRequest, _: Any
        ) -> retriever_pb2.RetrieveResponse:
            searched.append(request.query)
            return retriever_pb2.RetrieveResponse(versions=seen[len(searched) - 1])

    async with serve([Releases(), Retriever()]) as server:
        address = f"127.0.0.1:{server.port}"
        addresses = Addresses(releases=address, retriever=address)
        async with AsyncClient(addresses, Caller()) as gyre:
            await until_live(gyre)
    assert len(searched) == 3
