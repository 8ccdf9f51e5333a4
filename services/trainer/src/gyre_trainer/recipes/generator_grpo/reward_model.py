"""The reward version that answers are judged by: a language model that ends in one number."""

from collections.abc import Sequence
from pathlib import Path

import torch
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact
from gyre_common.reward_input import (
    FRAME,
    METHOD,
    Encode,
    RewardFrame,
    read_frame,
    reward_tokens,
)
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.language_models.batches import TokenizedSample, pack
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.inputs import folder_digest
from gyre_trainer.recipes.generator_grpo.config import REWARD
from gyre_trainer.recipes.judge_reward.model import TrainableReward
from gyre_trainer.runs.folder import RunFolder, RunSpec


class RewardFiles(BaseModel):
    """`reward.json`: the version, where its model lies, and the digest of that."""

    model_config = ConfigDict(frozen=True)

    version: str
    folder: str
    digest: str


def reward_file(folder: RunFolder) -> Path:
    """Where `prepare` wrote it."""
    return folder.path / "reward.json"


def reward_version(spec: RunSpec) -> Artifact:
    """What the run named. Raises FailedPrecondition where that gives no rewards."""
    artifact = spec.named[REWARD]
    if artifact.settings.get("method") != METHOD or artifact.uri is None:
        raise FailedPrecondition(
            f"{artifact.version} is no reward version: name one that recipe reward made by "
            f"`--set {REWARD}=VERSION` (`gyre releases judge`)"
        )
    return artifact


class AnswerRewards:
    """Says how good answers are, of what it reads when it serves as a judge."""

    def __init__(self, model: TrainableReward, encode: Encode, frame: RewardFrame) -> None:
        self._model = model
        self._encode = encode
        self._frame = frame

    def rewards(self, context: QuestionContext, answers: Sequence[str]) -> list[float]:
        """One for each answer; nothing is learned. Raises FailedPrecondition where they are longer
        than the model reads.
        """
        tokens = reward_tokens(
            self._encode,
            self._frame,
            question=context.question,
            passages=[each.text for each in context.read],
            answers=answers,
        )
        first, *others = tokens.completions
        sample = TokenizedSample((*tokens.prompt, *first), len(first), others=tuple(others))
        with torch.no_grad():
            device = next(self._model.parameters()).device
            values: list[float] = self._model(pack([sample]).to(device)).tolist()
        return values


def open_reward_model(run: RunFolder, device: torch.device) -> AnswerRewards:
    """Raises FailedPrecondition: it has changed since the run began, or is no reward model."""
    path = reward_file(run)
    try:
        files = RewardFiles.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise FailedPrecondition(f"{path} cannot be read: start a new run") from error
    folder = Path(files.folder)
    if folder_digest(folder) != files.digest:
        raise FailedPrecondition(
            f"the reward model {folder} has changed since the run began: start a new run"
        )
    try:
        frame = read_frame((folder / FRAME).read_bytes())
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise FailedPrecondition(
            f"{files.version} cannot be opened as a reward model: {problem}"
        ) from error
    if network.config.num_labels != 1 or not hasattr(network, "score"):
        raise FailedPrecondition(
            f"{files.version} gives {network.config.num_labels} numbers, and a reward is one: name "
            f"another version by the setting {REWARD}"
        )
    model = TrainableReward(network.eval()).to(device)
    return AnswerRewards(model, ChatTokenizer(tokenizer).plain, frame)
