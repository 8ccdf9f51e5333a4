"""The reward model in torch: a language model that ends in one number instead of words."""

from copy import deepcopy
from pathlib import Path

import torch
from gyre_common.errors import FailedPrecondition
from peft import PeftModel, TaskType
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from gyre_trainer.language_models.batches import Pack
from gyre_trainer.language_models.chat import ChatTokenizer
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.model import (
    TrainableGenerator,
    compute_type,
    learning_network,
    open_base,
    open_to_train,
)
from gyre_trainer.recipes.judge_reward.config import JudgeRewardConfig


class TrainableReward(TrainableGenerator):
    """The same with a classifier of one class: it gives the reward of each completion of a row."""

    def forward(self, pack: Pack) -> Tensor:
        """Shape (completions,), in the order of `Pack.completions`: the reward is read at a
        completion's last token, and computed in single precision.
        """
        inner = self.network.get_base_model() if self._is_adapted else self.network
        lower = self.compute is not torch.float32
        with torch.autocast(pack.ids.device.type, self.compute, enabled=lower):
            hidden = trunk(inner)(
                input_ids=pack.ids,
                position_ids=pack.positions,
                spans=pack.spans,
                use_cache=False,
            ).last_hidden_state[0]
        last = [end - 1 for span in pack.spans for end in span.ends]
        rewards: Tensor = inner.score(hidden[last].float())[:, 0]
        return rewards

    @property
    def _is_adapted(self) -> bool:
        return isinstance(self.network, PeftModel)


def trunk(network: PreTrainedModel) -> nn.Module:
    """What comes before the head."""
    inner: nn.Module = getattr(network, network.base_model_prefix)
    return inner


def open_with_head(
    folder: Path, config: JudgeRewardConfig, variant: Variant
) -> tuple[PreTrainedModel, ChatTokenizer]:
    """Ready to train. Raises as `with_head` and `open_base`."""
    base, chats = open_to_train(folder, config, variant)
    return with_head(base), chats


def with_head(base: PreTrainedModel) -> PreTrainedModel:
    """The language model with a head of zeros in place of its output layer: every reward is 0 until
    it learns. Raises FailedPrecondition where transformers has no classifier of its kind.
    """
    settings = deepcopy(base.config)
    settings.num_labels = 1
    try:
        with torch.device("meta"):
            network = AutoModelForSequenceClassification.from_config(settings)
        setattr(network, network.base_model_prefix, trunk(base))
        head = nn.Linear(network.score.in_features, 1, bias=False)
    except (ValueError, AttributeError) as error:
        raise FailedPrecondition(
            f"no reward model can be made of a {base.config.model_type}: name another version by "
            "the setting base"
        ) from error
    nn.init.zeros_(head.weight)
    network.score = head
    return network


def make_trainable(
    network: PreTrainedModel, config: JudgeRewardConfig, variant: Variant
) -> TrainableReward:
    """The head learns whole in both variants. Raises as `learning_network`."""
    learning = learning_network(network, config, variant, TaskType.SEQ_CLS)
    return TrainableReward(learning, compute_type(config)).train()


def open_learned(base: Path, learned: Path, variant: Variant) -> PreTrainedModel:
    """What was learned, as one model in single precision. Raises as `with_head` and `open_base`,
    and OSError.
    """
    if variant is Variant.FULL:
        network = AutoModelForSequenceClassification.from_pretrained(
            learned, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        return network.eval()
    whole, _ = open_base(base)
    adapted = PeftModel.from_pretrained(with_head(whole), learned)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged.eval()
