"""The recipe of a judge verb after verb: from what people said to a version that scores answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.training import Decision
from gyre_common.model_folders import ModelFolders
from gyre_common.no_answer import NO_ANSWER
from gyre_common.releases import ReleaseView
from gyre_common.reward_input import FRAME, GRAPH, read_frame, reward_tokens
from gyre_common.rpc import serve
from gyre_common.store import Store
from gyre_judge.onnx_reward import OnnxRewards
from gyre_judge.rewards import Rewards
from gyre_judge.rpc import JudgeRpc
from gyre_judge.service import Judge
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.recipes.judge_reward.compare import compare
from gyre_trainer.recipes.judge_reward.export import export
from gyre_trainer.recipes.judge_reward.prepare import prepare
from gyre_trainer.recipes.judge_reward.train import train
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.builders import a_release
from tests.fakes.bus import MemoryBus
from tests.training.answer_runs import CANDIDATE, SETTINGS, Stage
from tests.training.matrix import LONG
from tests.training.tiny_runs import never
from tests.unit.trainer.training_facts import MORNING

BASELINE = Artifact(
    version="baseline-1",
    digest="sha256:" + "b" * 64,
    settings={"method": "baseline"},
    registered_at=MORNING,
)


@pytest.fixture(scope="module", params=[Variant.LOW_RANK, pytest.param(Variant.FULL, marks=LONG)])
def exported(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tiny_language_model: Path,
) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    settings = {
        **SETTINGS,
        "variant": request.param.value,
        "epochs": "3",
        "low_rank_learning_rate": "0.005",
        "learning_rate": "0.003",
    }

    async def begin() -> None:
        await stage.begin(
            tiny_language_model, recipe="reward", role="judge", settings=settings, judge=BASELINE
        )
        await prepare(stage.folder, stage.settings())

    asyncio.run(begin())
    train(stage.folder, request.param, never)
    asyncio.run(export(stage.folder, stage.settings()))
    return stage


async def test_what_people_preferred_becomes_pairs_to_learn_from_and_to_judge_by(
    exported: Stage,
) -> None:
    data = RunData(exported.folder)
    fit, gate = data.samples(DataSetPart.FIT), data.samples(DataSetPart.GATE)
    assert len(fit) >= 30
    assert len(gate) >= 15
    assert all(sample.answer and sample.rejected for sample in (*fit, *gate))
    assert all(sample.answer != sample.rejected for sample in gate)
    taught = {sample.row.cluster for sample in fit}
    assert not taught & {sample.row.cluster for sample in gate}
    assert data.inputs.prompt == "reward-1"


async def test_the_folder_says_the_same_to_transformers_and_to_onnx_runtime(
    exported: Stage,
) -> None:
    """From the folder alone, by the texts of a pair."""
    folder = exported.folder.candidate
    frame = read_frame((folder / FRAME).read_bytes())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    session = onnxruntime.InferenceSession(str(folder / GRAPH))
    sample = RunData(exported.folder).samples(DataSetPart.GATE)[0]
    tokens = reward_tokens(
        lambda text: tokenizer(text, add_special_tokens=False).input_ids,
        frame,
        question=sample.asked.question,
        passages=[each.text for each in sample.asked.read],
        answers=[sample.answer, sample.rejected],
    )
    rewards = []
    for completion in tokens.completions:
        ids = [[*tokens.prompt, *completion]]
        with torch.no_grad():
            theirs = network(torch.tensor(ids)).logits.item()
        (ours,) = session.run(None, {"input_ids": np.array(ids, np.int64)})
        assert ours.item() == pytest.approx(theirs, abs=1e-4)
        rewards.append(theirs)
    assert rewards[0] != rewards[1]


async def test_a_version_says_what_it_is_and_what_it_learned_from(exported: Stage) -> None:
    candidate, folder = exported.folder.exported(), exported.folder.candidate
    assert (candidate.version, candidate.settings) == (CANDIDATE, {"method": "reward"})
    assert 0 <= candidate.metrics["onnx_difference"] < 1e-3
    card = json.loads((folder / "card.json").read_bytes())
    assert card["data_set"]["card"]["kind"] == "answer-comparisons"
    readme = (folder / "README.md").read_text()
    assert "pairs of answers, of which people\npreferred one" in readme
    assert NO_ANSWER not in readme


@asynccontextmanager
async def judge_service(stage: Stage, *, most_bytes: int = 100_000_000) -> AsyncIterator[str]:
    """The judge as it serves: live is the baseline, and the candidate is registered."""
    exported = stage.folder.exported()
    candidate = Artifact(
        version=exported.version,
        digest=exported.digest,
        uri=exported.uri,
        settings=exported.settings,
        registered_at=MORNING,
    )
    view = ReleaseView()
    view.apply(a_release(Roles.JUDGE, live="baseline-1", artifacts=(BASELINE, candidate)))
    folders = ModelFolders(Store(stage.store_url), stage.path / "models" / "judge")
    models = OnnxRewards(folders, threads=1)
    bus = MemoryBus(service="judge")
    async with (
        Rewards(models, view, most_bytes=most_bytes) as rewards,
        serve([JudgeRpc(Judge(view, bus, rewards))]) as server,
    ):
        yield f"127.0.0.1:{server.port}"


async def test_the_candidate_is_compared_with_live_by_the_judge_that_serves(
    exported: Stage,
) -> None:
    """What people preferred here says "right" where the other says "wrong"."""
    async with judge_service(exported) as address:
        settings = exported.settings().model_copy(update={"judge_address": address})
        await compare(exported.folder, settings)
    verdict = exported.folder.verdict()
    slices = {one.name: one for one in verdict.slices}
    assert verdict.decision is Decision.PASSED
    assert slices["overall"].examples >= 15
    assert (slices["overall"].difference or 0) > 0
    readme = (exported.folder.path / "README.md").read_text()
    assert "Verdict: **passed**" in readme
    lines = (exported.folder.path / "scores-candidate.jsonl").read_text().splitlines()
    assert len(lines) == len(RunData(exported.folder).samples(DataSetPart.GATE))


async def test_a_candidate_that_cannot_be_served_ends_the_comparison(
    exported: Stage, tmp_path: Path
) -> None:
    (exported.folder.path / "scores-candidate.jsonl").unlink(missing_ok=True)
    async with judge_service(exported, most_bytes=10) as address:
        settings = exported.settings().model_copy(update={"judge_address": address})
        with pytest.raises(ExceptionGroup) as failed:
            await compare(exported.folder, settings)
    (error,) = {str(each) for each in failed.value.exceptions}
    assert "there is no room for it" in error
