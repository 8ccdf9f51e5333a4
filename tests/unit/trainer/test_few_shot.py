"""The recipe `few-shot`: what people wrote becomes examples, and a gate judges the prompt."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition, InvalidInput
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.training import Decision
from gyre_common.model_folders import ModelFolders
from gyre_common.prompt_examples import EXAMPLES_FILE, example_settings, read_examples
from gyre_common.releases.builtin import shipped_artifacts
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.inputs import RunData, Sample
from gyre_trainer.recipes import recipe_named
from gyre_trainer.recipes.prompt_few_shot.compare import compare
from gyre_trainer.recipes.prompt_few_shot.config import CURATED, FewShotConfig, base_of
from gyre_trainer.recipes.prompt_few_shot.curation import NoExample, curate
from gyre_trainer.recipes.prompt_few_shot.export import export
from gyre_trainer.recipes.prompt_few_shot.prepare import prepare
from gyre_trainer.recipes.prompt_few_shot.train import train
from gyre_trainer.runs.folder import RunFolder, RunSpec, write_json
from gyre_trainer.segments import Segments
from gyre_trainer.segments.facts import ExampleSource, PartitionFacts
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS
from gyre_trainer.settings import TrainerSettings

from tests.fakes.generator import fake_generator
from tests.unit.trainer.answer_facts import (
    a_correction,
    an_answer,
    digest,
    many_answers,
    quoted,
    text_of,
)
from tests.unit.trainer.training_facts import MORNING

NUMBER = re.compile(r"matter(\d+)")
CANDIDATE = "answer-examples-1-00000001"
NOWHERE = "127.0.0.1:9"
PROMPTS = {each.version: each for each in shipped_artifacts(MORNING)[Roles.ANSWER_PROMPT]}


def a_generator(**settings: str) -> Artifact:
    return Artifact(
        version="tiny", digest="sha256:" + "1" * 64, settings=settings, registered_at=MORNING
    )


class Stage:
    """A run of the recipe in a folder, with a store that has facts."""

    def __init__(self, path: Path) -> None:
        self.folder = RunFolder(path / "run")
        self.path = path
        self.store_url = f"file://{path}/store"

    async def begin(
        self,
        facts: PartitionFacts,
        *,
        generator: Artifact | None = None,
        **overrides: Any,
    ) -> None:
        segments = Segments(Shelf(self.store_url, "segments"))
        passages = {digest(number): text_of(number) for number in range(100)}
        await segments.append(INTERACTIONS, 0, list(facts.interactions), passages)
        await segments.append(FEEDBACK, 0, list(facts.feedback))
        fields: dict[str, Any] = {
            "run_id": "00000000-0000-7000-8000-000000000001",
            "tenant": "acme",
            "recipe": "few-shot",
            "role": Roles.ANSWER_PROMPT,
            "profile": "demo",
            "actor": "ann",
            "version": CANDIDATE,
            "live": {
                "generator": generator or a_generator(backend="openai"),
                "prompt/answer": PROMPTS["answer-2"],
            },
            "window": await segments.durable(),
            "started_at": MORNING,
            "base": "answer-examples-1",
            "base_artifact": PROMPTS["answer-examples-1"],
        }
        write_json(self.folder.spec_file, RunSpec.model_validate(fields | overrides))

    async def exported(self) -> None:
        """The candidate is written."""
        await prepare(self.folder, self.settings())
        train(self.folder, CURATED)
        await export(self.folder, self.settings())

    def settings(self, generator: str = NOWHERE) -> TrainerSettings:
        return TrainerSettings.model_validate(
            {"home": self.path, "store_url": self.store_url, "generator_address": generator}
        )

    async def verdict(self, with_examples: Callable[[str], str]) -> Any:
        """`with_examples` is what the candidate makes of a question; live is always wrong."""

        def answer(question: str) -> str:
            prompt = request_context().versions[Roles.ANSWER_PROMPT]
            return with_examples(question) if prompt == CANDIDATE else "It is wrong."

        async with fake_generator({"tiny": answer}) as generator:
            await compare(self.folder, self.settings(generator.address))
        assert generator.prompts == {"answer-2", CANDIDATE}
        return self.folder.verdict()


@pytest.fixture
async def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    await stage.begin(many_answers(90))
    await stage.exported()
    return stage


async def test_what_people_wrote_becomes_the_files_of_a_version(stage: Stage) -> None:
    exported = stage.folder.exported()
    version = Artifact(
        version=CANDIDATE,
        digest=exported.digest,
        uri=exported.uri,
        settings=exported.settings,
        registered_at=MORNING,
    )
    settings = example_settings(version)
    assert settings is not None
    assert (settings.template, settings.example_tokens) == ("answer-examples-1", 600)
    assert settings.template_digest == PROMPTS["answer-examples-1"].digest
    folder = await ModelFolders(Store(stage.store_url), stage.path / "cache").folder(version)
    examples = read_examples(folder / EXAMPLES_FILE)
    assert all(
        example.answer == f"It is right{NUMBER.findall(example.question)[0]}."
        and example.documents == (f"doc-{NUMBER.findall(example.question)[0]}",)
        and example.tenant == "acme"
        for example in examples
    )
    card = json.loads((folder / "card.json").read_text())
    assert card["examples"] == len(examples)
    assert card["groups"] == []
    assert card["left_out"].keys() == {NoExample.DECLINED.value, NoExample.LIKED.value}
    assert "groups whose documents they may quote: none" in (folder / "README.md").read_text()


async def test_no_example_comes_from_the_held_out_side_or_from_validation(stage: Stage) -> None:
    data = RunData(stage.folder)
    examples = read_examples(stage.folder.candidate / EXAMPLES_FILE)
    shown = {example.question for example in examples}
    fit = {s.asked.question for s in data.samples(DataSetPart.FIT)}
    assert shown <= fit
    for part in (DataSetPart.GATE, DataSetPart.VALIDATION):
        assert data.samples(part)
        assert not shown & {sample.asked.question for sample in data.samples(part)}


async def test_a_prompt_whose_examples_help_passes(stage: Stage) -> None:
    outcome = await stage.verdict(lambda question: f"It is right{NUMBER.findall(question)[0]}.")
    assert outcome.decision is Decision.PASSED
    overall = outcome.slices[0]
    assert overall.candidate > overall.live
    report = json.loads(await Store(stage.store_url).get(outcome.report_uri, outcome.report))
    assert (report["live"], report["candidate"]) == ("answer-2", CANDIDATE)
    assert "Verdict: **passed**" in (stage.folder.path / "README.md").read_text()


async def test_a_prompt_whose_examples_change_nothing_is_refused(stage: Stage) -> None:
    outcome = await stage.verdict(lambda _: "It is wrong.")
    assert outcome.decision is Decision.REFUSED


async def test_curating_is_a_program_that_says_in_one_line_what_is_wrong(stage: Stage) -> None:
    command = [sys.executable, "-m", "gyre_trainer.recipes.prompt_few_shot.train"]
    command += ["--run", str(stage.folder.path), "--variant", CURATED]
    assert subprocess.run(command, check=False).returncode == 0
    (stage.folder.path / "samples.jsonl").write_text("")
    broken = subprocess.run(command, check=False, capture_output=True, text=True)
    assert broken.returncode == 1
    assert re.fullmatch(
        r"error: .*samples.jsonl has changed since the run began.*\n", broken.stderr
    )


@pytest.mark.parametrize(
    ("generator", "overrides", "message"),
    [
        (a_generator(backend="extractive"), {}, "generator tiny reads no prompt"),
        (
            a_generator(backend="openai", prompt="answer-short-1"),
            {},
            "generator tiny was made for prompt/answer answer-short-1, and takes no other",
        ),
        (None, {"tenant": "*"}, "examples are of one tenant"),
        (None, {"base_artifact": None}, "names no base"),
        (
            None,
            {"base_artifact": a_generator(template="answer-examples-1")},
            "name the template that it fills in, by `--set base=answer-examples-1`",
        ),
    ],
)
async def test_what_cannot_work_is_told_before_anything_is_made(
    tmp_path: Path, generator: Artifact | None, overrides: dict[str, Any], message: str
) -> None:
    stage = Stage(tmp_path)
    await stage.begin(many_answers(6), generator=generator, **overrides)
    with pytest.raises(FailedPrecondition, match=re.escape(message)):
        await prepare(stage.folder, stage.settings())


async def samples_of(tmp_path: Path, facts: PartitionFacts, **settings: str) -> list[Sample]:
    stage = Stage(tmp_path)
    await stage.begin(facts, settings=settings)
    await prepare(stage.folder, stage.settings())
    data = RunData(stage.folder)
    return [sample for part in DataSetPart for sample in data.samples(part)]


def corrected(facts: PartitionFacts, number: int, **changes: Any) -> PartitionFacts:
    """The same with another interaction `number`."""
    interactions = list(facts.interactions)
    interactions[number] = replace(interactions[number], **changes)
    return PartitionFacts(interactions, facts.feedback)


async def test_an_example_rests_on_all_that_was_shown_and_on_the_examples_before_it(
    tmp_path: Path,
) -> None:
    facts = corrected(
        many_answers(90),
        0,
        shown=(quoted(0), quoted(91, 2, used=False)),
        example_documents=(ExampleSource("tea.md"),),
    )
    samples = await samples_of(tmp_path, facts)
    [sample] = [one for one in samples if "matter0" in one.asked.question]
    [example] = curate([sample], FewShotConfig()).examples
    assert example.documents == ("doc-0", "doc-91", "tea.md")


@pytest.mark.parametrize(
    "changes",
    [
        {"shown": (quoted(0, acl=("staff",)),)},
        {"example_documents": (ExampleSource("plans.md", ("staff",)),)},
        {"shown": (quoted(0), quoted(91, 2, used=False, acl=("staff",)))},
    ],
    ids=["read", "example", "shown"],
)
async def test_restricted_documents_teach_only_where_that_is_allowed(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    facts = corrected(many_answers(90), 0, **changes)

    def examples(samples: list[Sample], config: FewShotConfig) -> list[Any]:
        taken = curate(samples, config).examples
        return [each for each in taken if "matter0" in each.question]

    open_only = await samples_of(tmp_path / "open", facts)
    assert examples(open_only, FewShotConfig()) == []
    allowed = await samples_of(tmp_path / "allowed", facts, restricted="true")
    [example] = examples(allowed, FewShotConfig(restricted=True))
    assert example.groups == ("staff",)


async def test_an_answer_in_a_conversation_is_no_example(tmp_path: Path) -> None:
    [sample, *_] = await samples_of(tmp_path, many_answers(90))
    turns = [{"role": "user", "content": "Before."}]
    later = Sample.model_validate(
        {**sample.model_dump(), "asked": {**sample.model_dump()["asked"], "history": turns}}
    )
    assert curate([later], FewShotConfig(liked=True)).examples == []


async def test_most_people_come_first_and_a_question_comes_once(tmp_path: Path) -> None:
    facts = many_answers(90)
    again = an_answer(90, question="what is subject7 matter7 ?", shown=(quoted(90),))
    feedback = [
        *facts.feedback,
        *(
            a_correction(facts.interactions[13], "It is right13.", offset=91 + n, actor=f"new-{n}")
            for n in range(3)
        ),
        a_correction(again, "It is right7.", offset=95, actor="new-9"),
    ]
    samples = await samples_of(tmp_path, PartitionFacts([*facts.interactions, again], feedback))
    curated = curate(samples, FewShotConfig())
    assert "matter13" in curated.examples[0].question
    assert len([one for one in curated.examples if "matter7" in one.question.split()]) == 1

    few = curate(samples, FewShotConfig(most_examples=3))
    assert few.examples == curated.examples[:3]
    assert few.left_out[NoExample.TOO_MANY.value] == len(curated.examples) - 3


async def test_liked_answers_come_after_what_people_wrote_where_they_are_wanted(
    tmp_path: Path,
) -> None:
    samples = await samples_of(tmp_path, many_answers(90))
    liked = curate(samples, FewShotConfig(liked=True))
    written = [one.row.kind for one in samples].count(AnswerKind.CORRECTION)
    assert "It is right" in liked.examples[written - 1].answer
    assert "It is wrong" in liked.examples[written].answer


async def test_what_no_prompt_has_room_for_is_no_example(tmp_path: Path) -> None:
    samples = await samples_of(tmp_path, many_answers(90))
    long = [one.model_copy(update={"answer": "word " * 200}) for one in samples]
    curated = curate(long, FewShotConfig(example_tokens=100))
    assert curated.examples == []
    assert NoExample.TOO_LONG.value in curated.left_out


def test_the_recipe_is_found_by_its_role_and_starts_from_a_template() -> None:
    recipe = recipe_named("", role="prompt/answer")
    assert (recipe.name, recipe.packages, recipe.variants) == ("few-shot", (), ("examples",))
    assert base_of(PROMPTS["answer-2"], {}) == "answer-examples-1"
    mine = a_generator(template="mine-1")
    assert base_of(mine, {}) == "mine-1"
    assert base_of(mine, {"base": "other-1"}) == "other-1"


@pytest.mark.parametrize("settings", [{"epochs": "3"}, {"example_tokens": "1"}, {"liked": "maybe"}])
def test_a_setting_that_cannot_be_is_named(settings: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=f"setting {next(iter(settings))}"):
        FewShotConfig.from_settings(settings)
