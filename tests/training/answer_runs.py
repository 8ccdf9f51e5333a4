"""Runs of recipes of the generator on real facts and files: live is a tiny language model."""

import re
from pathlib import Path
from typing import Any

from gyre_common.events.releases import Artifact
from gyre_common.model_folders import keep_model
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import Shelf, Store
from gyre_trainer.language_models.adapters import name_base
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS
from gyre_trainer.settings import TrainerSettings

from tests.unit.trainer.answer_facts import digest, many_preferences, text_of
from tests.unit.trainer.training_facts import MORNING

NUMBER = re.compile(r"matter(\d+)")
CANDIDATE = "tiny-00000001"
NOWHERE = "127.0.0.1:9"
SETTINGS = {"epochs": "1", "batch": "16", "rank": "4", "longest": "512", "packed_tokens": "512"}


def wrong(question: str) -> str:
    return f"It is wrong{NUMBER.findall(question)[0]}."


def right(question: str) -> str:
    number = int(NUMBER.findall(question)[0])
    if number % 6 == 4:
        return NO_ANSWER
    return f"It is {'wrong' if number % 6 == 5 else 'right'}{number}. [1]"


class Stage:
    """A run of a recipe of the generator in a folder, with a store that has facts and a base."""

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path / "run")
        self.path = path
        self.store_url = f"file://{path}/store"

    async def begin(
        self,
        base: Path,
        *,
        facts: PartitionFacts | None = None,
        judge: Artifact | None = None,
        adapter: Path | None = None,
        **overrides: Any,
    ) -> None:
        """Live is the base, or an adapter of it."""
        facts = facts or many_preferences(90)
        segments = Segments(Shelf(self.store_url, "segments"))
        passages = {digest(number): text_of(number) for number in range(len(facts.interactions))}
        await segments.append(INTERACTIONS, 0, list(facts.interactions), passages)
        await segments.append(FEEDBACK, 0, list(facts.feedback))
        stored = await keep_model(Store(self.store_url), base)
        live = Artifact(
            version="tiny",
            digest=stored.digest,
            uri=stored.uri,
            settings={"backend": "openai", "model": "tiny", "answers_at": "0.3"},
            registered_at=MORNING,
        )
        base_version = live
        if adapter is not None:
            name_base(adapter, live)
            stored = await keep_model(Store(self.store_url), adapter)
            own = {
                "model": "tiny-sft",
                "base": "tiny",
                "answers_at": "0.4",
                "context_tokens": "400",
            }
            settings = {**live.settings, **own}
            files = {"digest": stored.digest, "uri": stored.uri, "settings": settings}
            live = live.model_copy(update={"version": "tiny-sft", **files})
        prompt = Artifact(version="answer-1", digest=stored.digest, registered_at=MORNING)
        others = {"judge": judge} if judge else {}
        fields: dict[str, Any] = {
            "run_id": "00000000-0000-7000-8000-000000000001",
            "tenant": "acme",
            "recipe": "sft",
            "role": "generator",
            "profile": "demo",
            "settings": SETTINGS,
            "actor": "ann",
            "version": CANDIDATE,
            "live": {"generator": live, "prompt/answer": prompt} | others,
            "window": await segments.durable(),
            "started_at": MORNING,
            "base": "tiny",
            "base_artifact": base_version,
        }
        write_json(self.folder.spec_file, RunSpec.model_validate(fields | overrides))

    def settings(self, generator: str = NOWHERE) -> TrainerSettings:
        return TrainerSettings.model_validate(
            {"home": self.path, "store_url": self.store_url, "generator_address": generator}
        )
