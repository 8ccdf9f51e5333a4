"""What a run leaves behind: files that serve, and a card that explains them."""

import asyncio
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.store import ContentRef, Store
from gyre_embedder.encoder_folder import read_encoder_folder
from gyre_embedder.encoders import Side
from gyre_embedder.onnx_encoder import OnnxEncoder
from gyre_trainer.recipes.query_encoder import export as exporting
from gyre_trainer.recipes.query_encoder.config import Variant
from gyre_trainer.recipes.query_encoder.export import choose_variant, export, write_candidate
from gyre_trainer.recipes.query_encoder.model import encode_texts, open_base, open_tokenizer
from gyre_trainer.recipes.query_encoder.train import train
from gyre_trainer.recipes.query_encoder.validation import VariantResult
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.settings import TrainerSettings

from tests.training.tiny_runs import HIDDEN, TinyRun, a_run, never

TEXTS = ["w1 w2 w3", "w100 w101 w102 w103 w104 w105 w106", "w7"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> TinyRun:
    """Both variants trained and exported; the whole way was chosen."""
    trained_run = a_run(
        tmp_path_factory.mktemp("export") / "run",
        tiny_base,
        learning_rate=3e-3,
        shares="0,1",
    )
    for variant in Variant:
        train(trained_run.folder, variant, never)
    write_candidate(trained_run.folder)
    return trained_run


async def test_a_model_is_kept_when_there_is_room_again(
    run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    put = Store.put

    async def full_at_first(store: Store, content: bytes) -> ContentRef:
        calls.append(len(content))
        if len(calls) == 1:
            raise Retryable("cannot write: No space left on device")
        return await put(store, content)

    monkeypatch.setattr(Store, "put", full_at_first)
    settings = TrainerSettings(store_url=f"file://{tmp_path}/store", home=tmp_path)
    folder = RunFolder(shutil.copytree(run.folder.path, tmp_path / "copy"))
    await export(folder, settings)
    exported = folder.exported()
    assert exported.uri is not None
    assert exported.uri.startswith(settings.store_url)
    assert exported.fits == "minilm", "the encoder whose vectors the rebuilt index holds"
    assert len(calls) > 2


def served(folder: Path, texts: list[str], side: Side = Side.QUERY) -> np.ndarray:
    """As the embedder encodes them."""
    encoder = OnnxEncoder(read_encoder_folder(folder), threads=1)
    return np.array([each.vector for each in asyncio.run(encoder.encode(texts, side))])


def test_torch_and_the_embedder_give_the_same_vectors(run: TinyRun) -> None:
    folder = run.folder.candidate
    expected = encode_texts(open_base(folder, HIDDEN), open_tokenizer(folder, 32), TEXTS)
    assert np.abs(served(folder, TEXTS) - expected).max() < 1e-5


def test_the_graph_has_the_names_that_exported_encoders_have(run: TinyRun) -> None:
    session = onnxruntime.InferenceSession(str(run.folder.candidate / "onnx" / "model.onnx"))
    inputs = [each.name for each in session.get_inputs()]
    assert inputs == ["input_ids", "attention_mask", "token_type_ids"]
    assert [each.name for each in session.get_outputs()] == ["last_hidden_state"]


def test_sentence_transformers_opens_it(run: TinyRun) -> None:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(run.folder.candidate), device="cpu")
    assert np.abs(model.encode(TEXTS) - served(run.folder.candidate, TEXTS)).max() < 1e-5


def test_what_sentence_transformers_saves_is_served_with_its_prompts(
    run: TinyRun, tmp_path: Path
) -> None:
    """It writes other files, fields and module names than those that the candidate has."""
    library = pytest.importorskip("sentence_transformers")
    prompts = {"query": "w3 ", "passage": "w9 w8 "}
    model = library.SentenceTransformer(str(run.folder.candidate), device="cpu", prompts=prompts)
    model.max_seq_length = 6
    model.save(str(tmp_path / "saved"))
    shutil.copytree(run.folder.candidate / "onnx", tmp_path / "saved" / "onnx")
    for side, encode in ((Side.QUERY, model.encode_query), (Side.DOCUMENT, model.encode_document)):
        vectors = served(tmp_path / "saved", TEXTS, side)
        assert np.abs(encode(TEXTS) - vectors).max() < 1e-5, side


def test_the_candidate_is_the_base_with_what_was_chosen_of_the_better_variant(
    run: TinyRun, tiny_base: Path
) -> None:
    best = choose_variant([run.outcome(variant) for variant in Variant])
    weights = open_base(run.folder.candidate, HIDDEN).bert.state_dict()
    base = open_base(tiny_base, HIDDEN).bert.state_dict()
    tuned = run.tuned(best.variant) if best.chosen_share else {}
    assert all(torch.equal(value, {**base, **tuned}[name]) for name, value in weights.items())


@pytest.mark.parametrize(
    ("overall", "error", "variant"),
    [(0.82, 0.03, "full"), (0.84, 0.03, "low-rank"), (0.7, 0.0, "full"), (0.8, 0.0, "full")],
)
def test_the_second_variant_is_taken_only_when_it_is_better_by_more_than_chance(
    run: TinyRun, overall: float, error: float, variant: str
) -> None:
    def an_outcome(name: Variant, value: float) -> VariantResult:
        quality = run.outcome(name).chosen_quality.model_copy(
            update={"overall": value, "error": error}
        )
        update = {"validation": (quality,), "chosen_share": quality.share}
        return run.outcome(name).model_copy(update=update)

    first, second = an_outcome(Variant.FULL, 0.8), an_outcome(Variant.LOW_RANK, overall)
    assert choose_variant([first, second]).variant == variant


def test_the_card_says_what_it_was_made_of(run: TinyRun) -> None:
    card = json.loads((run.folder.candidate / "card.json").read_text())
    readme = (run.folder.candidate / "README.md").read_text()
    assert card["version"] == "votes-00000001"
    assert card["variants"].keys() == {"full", "low-rank"}
    assert card["onnx_difference"] < 1e-5
    assert len(card["variants"]["full"]["loss"]) == 12
    for part in ("# votes-00000001", "learning_rate: 0.003", "| low-rank | 1 |", "<!-- gate -->"):
        assert part in readme


def test_an_untrained_variant_is_named(tmp_path: Path, run: TinyRun) -> None:
    folder = shutil.copytree(run.folder.path, tmp_path / "copy")
    (folder / "low-rank" / "result.json").unlink()
    with pytest.raises(FailedPrecondition, match="low-rank is not trained"):
        write_candidate(type(run.folder)(folder))


def test_a_graph_that_differs_from_torch_is_refused(
    tmp_path: Path, run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = type(run.folder)(shutil.copytree(run.folder.path, tmp_path / "copy"))
    shutil.rmtree(folder.candidate)
    monkeypatch.setattr(exporting, "MOST_DIFFERENCE", -1.0)
    with pytest.raises(FailedPrecondition, match="away from torch"):
        write_candidate(folder)
    assert not folder.candidate.exists()
