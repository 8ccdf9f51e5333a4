"""Training in one process: what must not change the curve, and what stops it."""

import json
import math
import resource
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.store import digest_of
from gyre_trainer.recipes.query_encoder import train as trainer
from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.inputs import QueryEncoderFiles, RunData, base_digest
from gyre_trainer.recipes.query_encoder.train import train
from gyre_trainer.training.program import Stopped

from tests.training.tiny_runs import TinyRun, a_run, never, seal


def after(step: int) -> Callable[[], bool]:
    """A stop signal that is given in a certain step."""
    steps = count(1)
    return lambda: next(steps) >= step


def trained(run: TinyRun, variant: Variant = Variant.FULL) -> TinyRun:
    train(run.folder, variant, never)
    return run


def test_training_lowers_the_loss_and_tells_its_progress(tmp_path: Path, tiny_base: Path) -> None:
    run = trained(a_run(tmp_path / "run", tiny_base, epochs=12, learning_rate=3e-3))
    outcome = run.outcome()
    assert outcome.steps == len(outcome.loss) == 48
    assert np.mean(outcome.loss[-4:]) < 0.8 * np.mean(outcome.loss[:4])
    assert run.reported_steps() == list(range(1, 49))
    assert [each.share for each in outcome.validation] == [0, 0.25, 0.5, 0.75, 1]
    assert outcome.questions == {"fit": 32, "overall": 16, "voted": 8, "new": 8}
    assert outcome.tokens == 12 * 32 * 6  # four words, a beginning and an end


def test_accumulation_equals_a_big_batch(tmp_path: Path, tiny_base: Path) -> None:
    big = trained(a_run(tmp_path / "big", tiny_base, rehearsal=1))
    small = trained(a_run(tmp_path / "small", tiny_base, rehearsal=1, accumulation=4))
    assert small.outcome().loss == pytest.approx(big.outcome().loss, abs=1e-5)


@pytest.mark.parametrize("variant", list(Variant))
def test_a_run_that_was_stopped_ends_bit_for_bit_as_the_straight_one(
    tmp_path: Path, tiny_base: Path, variant: Variant
) -> None:
    settings = {"dropout": 0.1, "rehearsal": 0.5, "checkpoint_every": 4}
    straight = trained(a_run(tmp_path / "straight", tiny_base, **settings), variant)
    run = a_run(tmp_path / "stopped", tiny_base, **settings)
    with pytest.raises(Stopped, match="stopped after step 7 of 12; started again, it goes on"):
        train(run.folder, variant, after(7))
    trained(run, variant)
    assert run.outcome(variant).loss == straight.outcome(variant).loss
    tuned = run.tuned(variant)
    assert all(torch.equal(tuned[k], value) for k, value in straight.tuned(variant).items())
    assert run.reported_steps() == straight.reported_steps()


def test_only_the_last_two_checkpoints_are_kept_and_a_half_one_is_removed(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_base, checkpoint_every=2)
    checkpoints = run.folder.variant("full") / "checkpoints"
    (checkpoints / ".partial-00000004").mkdir(parents=True)
    trained(run)
    assert sorted(each.name for each in checkpoints.iterdir()) == ["step-00000010", "step-00000012"]


def test_a_checkpoint_of_other_settings_or_data_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    with pytest.raises(Stopped):
        train(run.folder, Variant.FULL, after(2))
    change(run, settings={"batch": "8", "epochs": "3", "seed": "3", "temperature": "0.1"})
    with pytest.raises(FailedPrecondition, match="made with other settings"):
        train(run.folder, Variant.FULL, never)


def test_a_low_rank_checkpoint_of_before_peft_is_refused(
    tmp_path: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights have other names, and would be left out without a word."""
    run = a_run(tmp_path / "run", tiny_base)
    with monkeypatch.context() as before:
        before.setattr(trainer, "_form", lambda _: {})
        with pytest.raises(Stopped):
            train(run.folder, Variant.LOW_RANK, after(2))
    with pytest.raises(FailedPrecondition, match="made with other low-rank updates: remove"):
        train(run.folder, Variant.LOW_RANK, never)


def test_a_base_that_changed_since_the_run_began_is_refused(
    tmp_path: Path, tiny_base: Path
) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    run = a_run(tmp_path / "run", base)
    change(run, base_digest=base_digest(base))
    with pytest.raises(Stopped):
        train(run.folder, Variant.FULL, after(2))
    (base / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes() + b"\n")
    with pytest.raises(FailedPrecondition, match="has changed since the run began"):
        train(run.folder, Variant.FULL, never)


def test_a_damaged_checkpoint_is_told(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    with pytest.raises(Stopped):
        train(run.folder, Variant.FULL, after(2))
    (weights,) = run.folder.variant("full").glob("checkpoints/step-*/mp_rank_*")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(FailedPrecondition, match="cannot be read"):
        train(run.folder, Variant.FULL, never)


def test_a_loss_that_is_not_a_number_stops_the_run_and_says_where(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    vectors = np.load(QueryEncoderFiles(run.folder).corpus_vectors)
    vectors[3] = math.nan
    np.save(QueryEncoderFiles(run.folder).corpus_vectors, vectors)
    with pytest.raises(FailedPrecondition, match="the loss is nan at step 1 of 12"):
        train(run.folder, Variant.FULL, never)


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_half(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    run.folder.variant("full").mkdir()
    (run.folder.variant("full") / "checkpoints").write_text("a file where a folder should be")
    with pytest.raises(Retryable, match="cannot write a checkpoint"):
        train(run.folder, Variant.FULL, never)
    assert not (run.folder.variant("full") / "result.json").exists()


def test_a_full_disk_is_told_the_last_checkpoint_stands_and_the_run_goes_on_later(
    tmp_path: Path, tiny_base: Path
) -> None:
    """A limit on the size of files is the same to a program as a disk without room."""
    straight = trained(a_run(tmp_path / "straight", tiny_base))
    run = a_run(tmp_path / "run", tiny_base, checkpoint_every=4)
    with pytest.raises(Stopped):
        train(run.folder, Variant.FULL, after(4))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(Retryable, match="cannot write a checkpoint to"):
            train(run.folder, Variant.FULL, never)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    checkpoints = run.folder.variant("full") / "checkpoints"
    assert [each.name for each in checkpoints.iterdir()] == ["step-00000004"]
    assert trained(run).outcome().loss == straight.outcome().loss


def test_a_data_set_without_questions_to_learn_from_is_refused(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    (run.folder.data_set / "train.jsonl").write_text("")
    seal(run.folder.data_set)
    with pytest.raises(FailedPrecondition, match="holds no question to learn from"):
        train(run.folder, Variant.FULL, never)


def test_data_that_changed_since_the_run_began_are_refused(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    change(run, corpus_digest="sha256:" + "0" * 64)
    with pytest.raises(FailedPrecondition, match=r"corpus\.npy has changed"):
        train(run.folder, Variant.FULL, never)
    change(run, corpus_digest="", data_set="sha256:" + "0" * 64)
    with pytest.raises(FailedPrecondition, match=r"manifest\.json of the data set .* was changed"):
        train(run.folder, Variant.FULL, never)
    change(run, data_set="", questions_digest="sha256:" + "0" * 64)
    with pytest.raises(FailedPrecondition, match=r"questions\.jsonl has changed"):
        train(run.folder, Variant.FULL, never)
    change(run, questions_digest="")
    path = run.folder.data_set / "train.jsonl"
    path.write_text(path.read_text().replace("c1", "c2", 1))
    with pytest.raises(FailedPrecondition, match=r"train\.jsonl of the data set .* was changed"):
        train(run.folder, Variant.FULL, never)


@pytest.mark.parametrize("digest", ["", "sha256:" + "0" * 64])
@pytest.mark.parametrize("manifest", [None, '{"files": {}}'])
def test_a_data_set_that_is_not_whole_is_refused_however_it_is_named(
    tmp_path: Path, tiny_base: Path, digest: str, manifest: str | None
) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    path = run.folder.data_set / "manifest.json"
    path.unlink()
    if manifest is not None:
        path.write_text(manifest)
        digest = digest and digest_of(manifest.encode())
    change(run, data_set=digest)
    with pytest.raises(
        FailedPrecondition, match=r"manifest\.json.* not whole|not whole.*manifest\.json"
    ):
        train(run.folder, Variant.FULL, never)


def test_a_line_that_is_no_question_is_named(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    path = run.folder.data_set / "train.jsonl"
    path.write_text(path.read_text() + '{"question": "w1"}\n')
    seal(run.folder.data_set)
    with pytest.raises(FailedPrecondition, match=r"train\.jsonl line 49 .* question_id"):
        train(run.folder, Variant.FULL, never)


def test_a_question_without_its_text_is_named(tmp_path: Path, tiny_base: Path) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    lines = QueryEncoderFiles(run.folder).questions.read_text().splitlines(keepends=True)
    QueryEncoderFiles(run.folder).questions.write_text("".join(lines[1:]))
    with pytest.raises(FailedPrecondition, match=r"questions\.jsonl lacks question q0"):
        train(run.folder, Variant.FULL, never)


def test_a_run_from_when_data_sets_held_the_questions_is_read(
    tmp_path: Path, tiny_base: Path
) -> None:
    run = a_run(tmp_path / "run", tiny_base)
    now = RunData(run.folder).questions
    path = run.folder.data_set / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row, question in zip(rows, now, strict=True):
        row["question"] = question.question
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seal(run.folder.data_set)
    QueryEncoderFiles(run.folder).questions.unlink()
    assert RunData(run.folder).questions == now


def change(run: TinyRun, **fields: object) -> None:
    for path in (run.folder.spec_file, QueryEncoderFiles(run.folder).inputs):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, **fields}))
