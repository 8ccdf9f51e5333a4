"""A frozen data set of answers in the field's own formats."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from gyre_common.context import RequestContext
from gyre_common.errors import InvalidInput, PermissionDenied
from gyre_common.store import Shelf, Store
from gyre_trainer.data_sets.data_set_store import DataSetStore
from gyre_trainer.data_sets.exporting import Exporting
from gyre_trainer.segments.facts import (
    PartitionFacts,
)

from tests.unit.trainer.answer_facts import (
    frozen_from,
    many_answers,
    never_rendered,
    quoted,
    segments_with,
)
from tests.unit.trainer.training_facts import MORNING


@pytest.fixture
async def exporting(tmp_path: Path) -> tuple[Exporting, str]:
    facts = many_answers(90)
    first, *others = facts.interactions
    restricted = replace(first, shown=(quoted(0, acl=("board",)),))
    segments = await segments_with(tmp_path, PartitionFacts([restricted, *others], facts.feedback))
    shelf = Shelf(f"file://{tmp_path}/store", "data-sets")
    store = DataSetStore(Store(f"file://{tmp_path}/store"), shelf)
    frozen = await frozen_from(segments, restricted=True)
    assert frozen.card["groups"] == ["board"]
    await store.keep(frozen, MORNING)
    return Exporting(store, segments, lambda _: never_rendered), frozen.digest


async def test_a_data_set_is_exported_as_prompt_and_completion(
    exporting: tuple[Exporting, str],
) -> None:
    exporter, name = exporting
    board = RequestContext(tenant="acme", acl=("board",))
    lines = [
        json.loads(line) for line in await exporter.lines(name, caller=board, form="trl", part="")
    ]
    assert all(set(line) == {"prompt", "completion"} for line in lines)
    assert [each["role"] for each in lines[0]["prompt"]] == ["system", "user"]
    assert lines[0]["completion"][0]["role"] == "assistant"
    assert "Passage" in lines[0]["prompt"][1]["content"]
    gate = await exporter.lines(name, caller=board, form="", part="gate")
    assert gate
    assert len(gate) + len(lines) < 90


async def test_who_may_not_read_a_quoted_document_exports_nothing(
    exporting: tuple[Exporting, str],
) -> None:
    exporter, name = exporting
    with pytest.raises(PermissionDenied, match="call with the groups board"):
        await exporter.lines(name, caller=RequestContext(tenant="acme"), form="trl", part="")


@pytest.mark.parametrize(("form", "part"), [("alpaca", ""), ("trl", "test")])
async def test_an_unknown_format_or_part_is_refused(
    exporting: tuple[Exporting, str], form: str, part: str
) -> None:
    exporter, name = exporting
    with pytest.raises(InvalidInput, match="is unknown"):
        await exporter.lines(name, caller=RequestContext(tenant="acme"), form=form, part=part)
