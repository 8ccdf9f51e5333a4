"""The model card: what a candidate was made of, how, and how good it is."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gyre_trainer.recipes.query_encoder.comparison.report import MARK
from gyre_trainer.recipes.query_encoder.inputs import RunData
from gyre_trainer.recipes.query_encoder.validation import Quality
from gyre_trainer.recipes.query_encoder.variant_result import VariantResult
from gyre_trainer.runs.folder import RunFolder, write_json

_CURVE_POINTS = 20


def write_card(
    candidate: Path,
    folder: RunFolder,
    data: RunData,
    outcomes: Sequence[VariantResult],
    best: VariantResult,
    onnx_difference: float,
) -> None:
    """`card.json` for programs and `README.md` for people; the gate's report is added later."""
    card = {
        "version": data.spec.version,
        "recipe": data.spec.recipe,
        "run": str(data.spec.run_id),
        "code": data.spec.code,
        "profile": data.spec.profile,
        "tenant": data.spec.tenant,
        "base": {role: artifact.version for role, artifact in data.spec.live.items()},
        "data_set": {"digest": data.inputs.data_set, "card": _data_set_card(folder)},
        "corpus": {"digest": data.inputs.corpus_digest, "passages": len(data.corpus.passages)},
        "chosen": {"variant": best.variant, "share": best.chosen_share},
        "onnx_difference": onnx_difference,
        "variants": {each.variant: each.model_dump(mode="json") for each in outcomes},
    }
    write_json(candidate / "card.json", card)
    (candidate / "README.md").write_text(_readme(card, outcomes, best), encoding="utf-8")


def _data_set_card(folder: RunFolder) -> Mapping[str, Any]:
    path = folder.data_set / "card.json"
    if not path.exists():
        return {}
    card: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def _readme(card: Mapping[str, Any], outcomes: Sequence[VariantResult], best: VariantResult) -> str:
    digest = card["data_set"]["digest"] or "not recorded"
    lines = [
        "---",
        "library_name: sentence-transformers",
        "pipeline_tag: sentence-similarity",
        "---",
        f"# {card['version']}",
        "",
        "A query encoder that learned from votes. Only the query side was trained: its vectors are",
        f"compared with those that {card['base'].get('document-encoder', 'the base')} made of the "
        "passages.",
        "",
        "## Data",
        "",
        f"- data set `{digest}`, profile {card['profile']}",
        f"- {best.questions['fit']} questions to learn from, {best.questions['overall']} to "
        f"validate ({best.questions['new']} of them about documents without votes)",
        f"- {card['corpus']['passages']} passages, vectors `{card['corpus']['digest']}`",
        "",
        "## Training",
        "",
        f"- run `{card['run']}`, code {card['code'] or 'not recorded'}",
        f"- chosen: {best.variant}, {best.chosen_share:.0%} of the way from the base"
        + ("" if best.questions["overall"] else ", as there is no question to choose by"),
        f"- ONNX differs from torch by at most {card['onnx_difference']:.1e}",
        "",
        *_costs(outcomes),
        "",
        "Settings:",
        "",
        *(f"- {name}: {value}" for name, value in best.settings.model_dump(mode="json").items()),
        "",
        "## Validation",
        "",
        "nDCG@10 of judged passages in the fused ranking, on questions of the training side that",
        "taught nothing; the dense leg's weight is fitted for each row.",
        "",
        *_validation(outcomes),
        "",
        MARK,
        "",
    ]
    return "\n".join(lines)


def _costs(outcomes: Sequence[VariantResult]) -> list[str]:
    rows = [
        "| variant | steps | tokens | seconds | CPU seconds | loss, from first to last |",
        "|---|---|---|---|---|---|",
    ]
    for each in outcomes:
        stride = max(1, len(each.loss) // _CURVE_POINTS)
        curve = " ".join(f"{loss:.2f}" for loss in each.loss[::stride])
        rows.append(
            f"| {each.variant} | {each.steps} | {each.tokens} | {each.seconds:.0f} | "
            f"{each.cpu_seconds:.0f} | {curve} |"
        )
    return rows


def _validation(outcomes: Sequence[VariantResult]) -> list[str]:
    rows = [
        "| variant | share | dense weight | overall | voted | new | dense alone |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [_row(each.variant, quality) for each in outcomes for quality in each.validation]
    return rows


def _row(variant: str, quality: Quality) -> str:
    cells = (quality.overall, quality.voted, quality.new, quality.dense_alone)
    columns = " | ".join("–" if cell is None else f"{cell:.4f}" for cell in cells)
    return f"| {variant} | {quality.share:g} | {quality.dense_weight:g} | {columns} |"
