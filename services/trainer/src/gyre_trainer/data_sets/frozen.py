"""A frozen data set: its files, and the digest that names them all."""

from collections.abc import Mapping
from dataclasses import dataclass

from gyre_trainer.data_sets.card import Card

TRAIN, GATE, CARD, MANIFEST = "train.jsonl", "gate.jsonl", "card.json", "manifest.json"


@dataclass(frozen=True)
class FrozenDataSet:
    """A data set, whole. `digest` is the manifest's, which names the digest of every other file."""

    digest: str
    tenant: str
    card: Card
    files: Mapping[str, bytes]
