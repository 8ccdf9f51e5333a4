"""Texts a second of the embedder's encoder, beside its floor and a plainer way to batch.

    python -m bench.encoder [--texts 96] [--rounds 5] [--threads 2]

- floor: the bare session on ready tokens of equal length, so without tokenizing or padding
- encoder: what the embedder does (tokenize, sort by length, micro-batches by tokens)
- in order: the same session, batches of 32 as they come, padded to the longest

Arms run A B C C B A, so that a busy machine harms all alike. The texts are paragraphs of SciFact's
abstracts, cut to a mix of lengths around 85 tokens.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from gyre_common.events.releases import Roles
from gyre_common.model_folders import shipped_model
from gyre_common.releases.builtin import built_in_artifacts
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Side
from gyre_embedder.onnx_encoder import TOKEN_BUDGET, OnnxEncoder

from bench import beir
from bench.report import data_folder, machine, median, table

REFERENCE = 50  # texts of 85 tokens a second, fp32, ONNX Runtime, 2 cores
LENGTHS = (120, 250, 380, 520, 700)
IN_ORDER = 32

Arm = Callable[[], Awaitable[None]]


def some_texts(count: int) -> list[str]:
    """Beginnings of abstracts, of five lengths in turn."""
    abstracts = islice(beir.documents(data_folder("scifact")), count)
    return [row["text"][: LENGTHS[n % len(LENGTHS)]] for n, row in enumerate(abstracts)]


def arms(encoder: OnnxEncoder, texts: Sequence[str]) -> dict[str, Arm]:
    """Each way to encode the texts once."""
    tokens = encoder._tokenize(texts, Side.DOCUMENT)
    length = round(sum(len(each.ids) for each in tokens) / len(tokens))
    flat = [token for each in tokens for token in each.ids]
    equal = np.resize(np.array(flat, np.int64), (len(texts), length))
    rows = TOKEN_BUDGET // length

    async def floor() -> None:
        for start in range(0, len(equal), rows):
            ids = equal[start : start + rows]
            encoder._session.run(
                None,
                {
                    "input_ids": ids,
                    "attention_mask": np.ones_like(ids),
                    "token_type_ids": np.zeros_like(ids),
                },
            )

    async def whole_encoder() -> None:
        await encoder.encode(texts, Side.DOCUMENT)

    async def in_order() -> None:
        for start in range(0, len(texts), IN_ORDER):
            encoder._run(encoder._tokenize(texts[start : start + IN_ORDER], Side.DOCUMENT))

    print(f"{len(texts)} texts of {length} tokens on average; reference {REFERENCE}/s at 85")
    return {"floor": floor, "encoder": whole_encoder, "in order": in_order}


async def measure(texts: Sequence[str], rounds: int, threads: int) -> None:
    """Prints the median rate and CPU time of each arm."""
    artifact = built_in_artifacts(datetime.now(UTC))[Roles.DOCUMENT_ENCODER]
    started = time.perf_counter()
    encoder = OnnxEncoder(read_encoder_folder(shipped_model(artifact)), threads=threads)
    print(f"loaded in {time.perf_counter() - started:.2f} s, digest checked")
    contenders = arms(encoder, texts)
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in (*contenders, *reversed(contenders)):
            began, cpu_began = time.perf_counter(), time.process_time()
            await contenders[name]()
            wall[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - cpu_began)
    floor = median(wall["floor"])
    rows = [
        (
            name,
            f"{len(texts) / median(wall[name]):.1f}",
            f"{floor / median(wall[name]):.2f}",
            f"{median(cpu[name]) / len(texts) * 1000:.1f}",
        )
        for name in contenders
    ]
    print(table(("arm", "texts/s", "x floor", "CPU ms/text"), rows))


def main() -> None:
    """Reads the options and runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(machine())
    asyncio.run(measure(some_texts(options.texts), options.rounds, options.threads))


if __name__ == "__main__":
    main()
