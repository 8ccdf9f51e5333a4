"""Other ways to train on a run's folder, each in a process of its own.

    python -m bench.training.arms bare|peer FOLDER

prints a JSON object: tokens, seconds, cpu_seconds, loss (the mean of the last epoch).
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig, Variant
from gyre_trainer.recipes.query_encoder.examples import (
    Batch,
    Batches,
    TrainingExample,
    examples_of,
    merge_questions,
)
from gyre_trainer.recipes.query_encoder.inputs import RunData
from gyre_trainer.recipes.query_encoder.loss import step_loss
from gyre_trainer.recipes.query_encoder.model import make_trainable, open_base, open_tokenizer
from gyre_trainer.runs.folder import RunFolder
from torch import Tensor, nn

Figures = Mapping[str, float]


def main() -> None:
    """Runs one arm."""
    arm, folder = sys.argv[1:]
    print(json.dumps({"bare": bare, "peer": peer}[arm](RunData(RunFolder(Path(folder))))))


def bare(data: RunData) -> Figures:
    """The floor: the same network, batches and loss in a plain loop of torch."""
    config, examples = _task(data)
    base = Path(data.inputs.base_folder)
    model = make_trainable(open_base(base, data.corpus.dimensions), config, Variant.FULL)
    tokenizer = open_tokenizer(base, config.longest_question)
    learning = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        learning, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    passages = torch.from_numpy(data.corpus.vectors)
    batches = Batches(examples, data.corpus, config)
    losses, tokens = [], 0
    clock = _clock()
    for step in range(batches.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.rate_at(step, batches.steps, Variant.FULL)
        (batch,) = batches.at(step, rank=0, ranks=1)
        texts = [tokenizer.encode(each.text).ids for each in batch.questions]
        loss = step_loss(model(texts), torch.zeros(0, 0), batch, passages, config)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, config.clip)
        optimizer.step()
        losses.append(loss.item())
        tokens += sum(map(len, texts))
    return _figures(clock, tokens, losses, batches.steps // config.epochs)


def peer(data: RunData) -> Figures:
    """sentence-transformers' trainer with the same loss; it makes batches its own way."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )

    config, examples = _task(data)
    model = SentenceTransformer(data.inputs.base_folder, device="cpu")
    model.max_seq_length = config.longest_question
    model.requires_grad_(False)
    for layer in model[0].auto_model.encoder.layer[-config.trained_layers :]:
        layer.requires_grad_(True)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = config.dropout
    rows = Dataset.from_dict(
        {"question": [each.text for each in examples], "label": list(range(len(examples)))}
    )
    loss = _PeerLoss(model, examples, data, config)
    steps = -(-len(examples) // config.batch) * config.epochs
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(Path(data.inputs.base_folder).anchor),  # nothing is saved
            per_device_train_batch_size=config.batch,
            num_train_epochs=config.epochs,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            warmup_steps=round(config.warm_up * steps),
            max_grad_norm=config.clip,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
        ),
        train_dataset=rows,
        loss=loss,
    )
    clock = _clock()
    trainer.train()
    return _figures(clock, loss.tokens, loss.values, steps // config.epochs)


class _PeerLoss(nn.Module):
    """The recipe's loss in the shape that sentence-transformers asks for."""

    def __init__(
        self,
        model: Any,
        examples: Sequence[TrainingExample],
        data: RunData,
        config: QueryEncoderConfig,
    ) -> None:
        super().__init__()
        self.model = model
        self.examples = examples
        self.passages = torch.from_numpy(data.corpus.vectors)
        self.config = config
        self.values: list[float] = []
        self.tokens = 0

    def forward(self, features: Sequence[Mapping[str, Tensor]], labels: Tensor) -> Tensor:
        """One text a row; the label is the example's position."""
        (texts,) = features
        in_batch = [self.examples[at] for at in labels.tolist()]
        vectors = self.model(texts)["sentence_embedding"]
        batch = Batch(in_batch, (), len(in_batch), 0)
        loss = step_loss(vectors, vectors[:0], batch, self.passages, self.config)
        self.values.append(loss.item())
        self.tokens += int(texts["attention_mask"].sum())
        return loss


def _task(data: RunData) -> tuple[QueryEncoderConfig, Sequence[TrainingExample]]:
    config = QueryEncoderConfig.from_settings(data.spec.settings)
    return config, examples_of(merge_questions(data.questions, "fit"), data.corpus, data.live)


def _clock() -> Callable[[], tuple[float, float]]:
    began, cpu_began = time.perf_counter(), time.process_time()
    return lambda: (time.perf_counter() - began, time.process_time() - cpu_began)


def _figures(
    clock: Callable[[], tuple[float, float]], tokens: int, losses: Sequence[float], epoch: int
) -> Figures:
    seconds, cpu_seconds = clock()
    last = losses[-epoch:]
    return {
        "tokens": tokens,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "loss": sum(last) / len(last),
    }


if __name__ == "__main__":
    main()
