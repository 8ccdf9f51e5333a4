"""Frozen data sets are kept, listed and found again, and never come back changed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gyre_common.errors import FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.store import Shelf, Store, digest_of
from gyre_trainer.data_sets.data_set_store import FOLDER, DataSetStore
from gyre_trainer.data_sets.freezing import freeze_joined
from gyre_trainer.data_sets.frozen import FrozenDataSet, read_folder, write_folder
from gyre_trainer.data_sets.profiles import profile_named

from tests.unit.failing_disk import failing
from tests.unit.trainer.training_facts import a_crowd, join

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_data_set(questions: int = 240, tenant: str = "acme") -> FrozenDataSet:
    window = {"interactions.completed.v1/0": (0, questions)}
    return freeze_joined(
        join(a_crowd(questions)), window=window, tenant=tenant, profile=profile_named("demo")
    )


@pytest.fixture
def data_sets(store_url: str) -> DataSetStore:
    return DataSetStore(Store(store_url), Shelf(store_url, FOLDER))


async def test_what_is_kept_is_listed_and_lies_whole_in_the_store(
    data_sets: DataSetStore, store_url: str
) -> None:
    first, second = a_data_set(240), a_data_set(270)
    await data_sets.keep(first, NOON)
    await data_sets.keep(second, NOON + timedelta(hours=1))
    listed = await data_sets.of_tenant("acme")
    assert [one.digest for one in listed] == [second.digest, first.digest]
    assert listed[1].card == first.card
    assert listed[1].train_questions == first.card["train_questions"]
    assert await data_sets.files(listed[1]) == first


async def test_keeping_again_changes_nothing(data_sets: DataSetStore) -> None:
    stored = await data_sets.keep(a_data_set(), NOON)
    assert await data_sets.keep(a_data_set(), NOON + timedelta(days=1)) == stored
    assert await data_sets.of_tenant("acme") == [stored]


async def test_a_data_set_is_its_tenants_own(data_sets: DataSetStore) -> None:
    await data_sets.keep(a_data_set(tenant="*"), NOON)
    assert await data_sets.of_tenant("acme") == []
    [of_all] = await data_sets.of_tenant("*")
    assert of_all.tenant == "*"
    with pytest.raises(NotFound):
        await data_sets.get("acme", of_all.digest)


@pytest.mark.parametrize("shortened", [str, lambda d: d[:15], lambda d: d[7:], lambda d: d[7:15]])
async def test_the_first_digits_of_a_digest_are_enough(
    data_sets: DataSetStore, shortened: Callable[[str], str]
) -> None:
    stored = await data_sets.keep(a_data_set(), NOON)
    assert await data_sets.get("acme", shortened(stored.digest)) == stored


@pytest.mark.parametrize("digest", ["", "abcdef1", "sha256:ab", "../../etc", "g" * 8, "a" * 65])
async def test_what_is_no_digest_is_refused(data_sets: DataSetStore, digest: str) -> None:
    with pytest.raises(InvalidInput, match="8 or more of its hexadecimal digits"):
        await data_sets.get("acme", digest)


async def test_digits_that_begin_more_than_one_are_refused(tmp_path: Path) -> None:
    shelf = Shelf(f"file://{tmp_path}", FOLDER)
    for end in "01":
        await shelf.put(f"acme/{'ab' * 5}{end * 54}.json", b"{}")
    data_sets = DataSetStore(Store(f"file://{tmp_path}"), shelf)
    with pytest.raises(InvalidInput, match=r"more than one: send more digits, such as ababababab0"):
        await data_sets.get("acme", "abababab")


def test_a_folder_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    data_set = a_data_set()
    for _ in range(2):
        write_folder(data_set, tmp_path / "run" / "data_set")
    assert read_folder(tmp_path / "run" / "data_set", data_set.digest) == data_set.files
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["data_set"]


@pytest.mark.parametrize("name", ["train.jsonl", "gate.jsonl", "card.json", "manifest.json"])
def test_a_file_that_was_changed_is_named(tmp_path: Path, name: str) -> None:
    data_set = a_data_set()
    write_folder(data_set, tmp_path / "data_set")
    with (tmp_path / "data_set" / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(FailedPrecondition, match=rf"^{name} of the data set in .* was changed"):
        read_folder(tmp_path / "data_set", data_set.digest)


def test_a_manifest_that_was_changed_along_is_seen_by_the_digest(tmp_path: Path) -> None:
    data_set = a_data_set()
    write_folder(data_set, tmp_path / "data_set")
    manifest = json.loads(data_set.files["manifest.json"])
    (tmp_path / "data_set" / "train.jsonl").write_bytes(b"")
    manifest["files"]["train.jsonl"]["digest"] = digest_of(b"")
    (tmp_path / "data_set" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FailedPrecondition, match="was changed"):
        read_folder(tmp_path / "data_set", data_set.digest)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"files": {"x": {}}, "tenant": "t"}'])
def test_a_broken_manifest_is_no_data_set(tmp_path: Path, manifest: str) -> None:
    write_folder(a_data_set(), tmp_path / "data_set")
    (tmp_path / "data_set" / "manifest.json").write_text(manifest)
    with pytest.raises(FailedPrecondition, match="manifest"):
        read_folder(tmp_path / "data_set")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    data_set = a_data_set()
    write_folder(data_set, tmp_path / "data_set")
    bigger = a_data_set(270)
    with (
        failing("gyre_trainer.data_sets.frozen.os.fsync"),
        pytest.raises(Retryable, match=r"cannot write the data set .* No space left"),
    ):
        write_folder(bigger, tmp_path / "data_set")
    assert read_folder(tmp_path / "data_set") == data_set.files
    assert [path.name for path in tmp_path.iterdir()] == ["data_set"]


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    write_folder(a_data_set(), tmp_path / "data_set")
    (tmp_path / "data_set" / "gate.jsonl").unlink()
    with pytest.raises(FailedPrecondition, match=r"is not whole .*gate\.jsonl"):
        read_folder(tmp_path / "data_set")
