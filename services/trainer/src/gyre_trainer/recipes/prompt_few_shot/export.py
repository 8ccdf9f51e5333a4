"""Verb `export`: the examples become a version's files, with a card, in the store."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.model_folders import keep_model
from gyre_common.prompt_examples import EXAMPLES_FILE, ExampleSettings, read_examples
from gyre_common.store import Store

from gyre_trainer.data_sets.frozen import CARD, read_folder
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.language_models.report import MARK
from gyre_trainer.recipes.prompt_few_shot.config import CURATED, FewShotConfig
from gyre_trainer.runs.failures import STORE_SECONDS, retry_while_away
from gyre_trainer.runs.folder import ExportedCandidate, RunFolder, write_json
from gyre_trainer.runs.verbs import EXPORT
from gyre_trainer.settings import TrainerSettings


async def export(folder: RunFolder, settings: TrainerSettings) -> None:
    """Raises FailedPrecondition: nothing is curated; Retryable: the disk or the store is full,
    read-only or away.
    """
    folder.progress(EXPORT, message="writing the examples")
    data = RunData(folder)
    config = FewShotConfig.from_settings(data.spec.settings)
    card = _write_candidate(folder, data)
    store = Store(settings.store_url)
    stored = await retry_while_away(
        lambda: keep_model(store, folder.candidate), seconds=STORE_SECONDS
    )
    base = data.inputs.base
    version = ExampleSettings(
        template=base.version, template_digest=base.digest, example_tokens=config.example_tokens
    )
    candidate = ExportedCandidate(
        version=data.spec.version,
        digest=stored.digest,
        uri=stored.uri,
        settings=version.as_settings(),
        metrics={"examples": card["examples"]},
    )
    write_json(folder.candidate_file, candidate)


def _write_candidate(folder: RunFolder, data: RunData) -> Mapping[str, Any]:
    """Fill `candidate/`, whole or not at all; returns the card."""
    own, partial = folder.variant(CURATED), folder.path / ".candidate"
    try:
        result = json.loads((own / "result.json").read_bytes())
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        shutil.copyfile(own / EXAMPLES_FILE, partial / EXAMPLES_FILE)
        groups = {
            each for example in read_examples(partial / EXAMPLES_FILE) for each in example.groups
        }
        card = _card(folder, data, result, sorted(groups))
        write_json(partial / "card.json", card)
        (partial / "README.md").write_text(_readme(card), encoding="utf-8")
        shutil.rmtree(folder.candidate, ignore_errors=True)
        partial.rename(folder.candidate)
    except (FileNotFoundError, ValueError) as error:
        raise FailedPrecondition(
            f"the examples in {own} are not whole ({error}): start a new run"
        ) from error
    except OSError as error:
        raise Retryable(f"cannot write to {folder.path}: {error.strerror or error}") from error
    return card


def _card(
    folder: RunFolder, data: RunData, result: Mapping[str, Any], groups: list[str]
) -> dict[str, Any]:
    spec, inputs = data.spec, data.inputs
    data_card = json.loads(read_folder(folder.data_set, inputs.data_set, (CARD,))[CARD])
    return {
        "version": spec.version,
        "recipe": spec.recipe,
        "run": str(spec.run_id),
        "code": spec.code,
        "profile": spec.profile,
        "tenant": spec.tenant,
        "template": {"version": inputs.base.version, "digest": inputs.base.digest},
        "settings": FewShotConfig.from_settings(spec.settings).model_dump(mode="json"),
        "data_set": {"digest": inputs.data_set, "card": data_card},
        "examples": result["examples"],
        "left_out": result["left_out"],
        "groups": groups,
    }


def _readme(card: Mapping[str, Any]) -> str:
    groups = ", ".join(card["groups"]) or "none: every document was open to the whole tenant"
    left_out = "\n".join(f"- {count} left out: {why}" for why, count in card["left_out"].items())
    settings = "\n".join(f"- {name}: {value}" for name, value in card["settings"].items())
    return f"""\
# {card["version"]}

A version of the answer prompt that shows examples: questions of tenant {card["tenant"]} with the
answers that people wrote. It fills in {card["template"]["version"]} \
(`{card["template"]["digest"]}`).
Who may not read every document that an example may quote does not see it.

## Data

- data set `{card["data_set"]["digest"]}`, profile {card["profile"]}
- {card["examples"]} examples, by {card["data_set"]["card"]["actors"]} people or fewer
- groups whose documents they may quote: {groups}
{left_out}

Settings:

{settings}

{MARK}
"""
