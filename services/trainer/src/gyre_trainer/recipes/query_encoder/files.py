"""Where the recipe's own files lie in a run's folder, and what `prepare` says of them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gyre_trainer.runs.folder import RunFolder


class Inputs(BaseModel):
    """What training checks before it begins (`inputs.json`).

    `base_folder` is where the base model's files lie (the live document encoder's, whose vectors
    fill the index); the others are digests, not checked where they are empty: of the base's files,
    of `data_set/manifest.json`, of `corpus.npy` and of `questions.jsonl`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    base_folder: str
    base_digest: str = ""
    data_set: str = ""
    corpus_digest: str = ""
    questions_digest: str = ""


class QueryEncoderFiles:
    """The files beside those that every recipe has."""

    def __init__(self, folder: RunFolder) -> None:
        self.inputs: Path = folder.path / "inputs.json"
        self.questions: Path = folder.path / "questions.jsonl"
        self.corpus_rows: Path = folder.path / "corpus.jsonl"
        self.corpus_vectors: Path = folder.path / "corpus.npy"
        self.live: Path = folder.path / "live.jsonl"
        self.report: Path = folder.path / "report.json"
        self.card: Path = folder.path / "README.md"
