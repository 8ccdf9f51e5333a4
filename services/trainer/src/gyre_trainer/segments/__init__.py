"""The streams as facts in Parquet, by offset: what data sets are frozen from."""

from gyre_trainer.segments.catching_up import until_collected
from gyre_trainer.segments.collector import Collector
from gyre_trainer.segments.shelf import FOLDER, Segments
from gyre_trainer.segments.window import Window

__all__ = ["FOLDER", "Collector", "Segments", "Window", "until_collected"]
