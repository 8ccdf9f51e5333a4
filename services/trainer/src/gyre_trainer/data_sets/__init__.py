"""Frozen data sets: what a run trains on and is judged by.

`freezing` is not among these names: it loads libraries that a process which only serves data sets
has no use for.
"""

from gyre_trainer.data_sets.card import Card
from gyre_trainer.data_sets.data_set_store import FOLDER, DataSetStore, StoredDataSet
from gyre_trainer.data_sets.deleted import without_deleted
from gyre_trainer.data_sets.folders import read_folder, rows, write_folder
from gyre_trainer.data_sets.frozen import CARD, GATE, MANIFEST, TRAIN, FrozenDataSet
from gyre_trainer.data_sets.profiles import PROFILES, Profile, profile_named
from gyre_trainer.data_sets.rows import DataSetRow, ShownRow

__all__ = [
    "CARD",
    "FOLDER",
    "GATE",
    "MANIFEST",
    "PROFILES",
    "TRAIN",
    "Card",
    "DataSetRow",
    "DataSetStore",
    "FrozenDataSet",
    "Profile",
    "ShownRow",
    "StoredDataSet",
    "profile_named",
    "read_folder",
    "rows",
    "without_deleted",
    "write_folder",
]
