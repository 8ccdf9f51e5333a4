"""Precision and recall of personal data by kind, beside regular expressions and Presidio.

    python -m bench.personal_data [--peer PYTHON] [--pipeline NAME]

reads `presidio/synth_dataset_v2.json`: 1,500 sentences from templates, 2,863 spans of 17 kinds. A
span counts where it and one of its kind share more than half of what they cover together. A post
code within a labelled street address counts neither way, as the address holds it. The structured
kinds are shown for each half of the templates too: patterns may be written by those of odd numbers.

PYTHON of --peer is an environment with `presidio-analyzer`, `psutil` and a spaCy pipeline, which it
uses as it comes. Then the pages of the Kubernetes documentation are read, where hardly anything is
personal: what is seen there, and the characters a CPU-second. NAME is a spaCy pipeline installed
here, by which Gyre sees more names.
"""

import argparse
import json
import re
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from gyre_common.personal_data import BY_DEFAULT, PersonalData
from gyre_common.redaction.finding import find

from bench.report import data_folder, machine, table

Seen = tuple[int, int, str]
"""Start, end and kind."""

STRUCTURED = (
    *("CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE", "PHONE_NUMBER", "EMAIL_ADDRESS"),
    *("IP_ADDRESS", "DOMAIN_NAME", "DATE_TIME", "AGE", "ZIP_CODE"),
)
OTHERS = ("PERSON", "STREET_ADDRESS", "GPE", "ORGANIZATION", "NRP", "TITLE")
_OUR_NAMES = {
    "BIRTH_DATE": "DATE_TIME",
    "NATIONAL_ID": "US_SSN",
    "DRIVER_LICENSE": "US_DRIVER_LICENSE",
    "URL": "DOMAIN_NAME",
}
_THEIR_NAMES = {"LOCATION": "GPE", "URL": "DOMAIN_NAME"}
_FLOOR = {
    "CREDIT_CARD": re.compile(r"\b\d{4}(?:[ -]?\d{4}){3}\b"),
    "IBAN_CODE": re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b"),
    "US_SSN": re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    "PHONE_NUMBER": re.compile(r"(?<!\w)\+?\(?\d{2,4}\)?(?:[ .-]\d{2,4}){2,3}\b"),
    "EMAIL_ADDRESS": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@\w{1,63}(?:[.-]\w{1,63}){1,4}"),
    "IP_ADDRESS": re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"),
    "DOMAIN_NAME": re.compile(r"\bhttps?://[^\s,]{1,400}"),
    "DATE_TIME": re.compile(r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}/\d{1,2}/\d{4}\b"),
    "ZIP_CODE": re.compile(r"\b\d{5}\b"),
    "AGE": re.compile(r"\b\d{1,2}(?= years? old)"),
}
_PRESIDIO = """
import json, logging, psutil, sys, time
logging.disable(logging.CRITICAL)
def used():
    return time.process_time(), psutil.Process().memory_info().rss / 2**20
before = used()
import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
[model] = spacy.util.get_installed_models()[:1]
models = [{"lang_code": "en", "model_name": model}]
engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
analyzer = AnalyzerEngine(nlp_engine=engine.create_engine())
analyzer.analyze("My name is Ann", language="en")
started = used()
texts = json.load(sys.stdin)
found = [[(each.start, each.end, each.entity_type)
          for each in analyzer.analyze(text, language="en")] for text in texts]
ended = used()
print(json.dumps({"spans": found, "cpu": ended[0] - started[0], "start": started[0] - before[0],
                  "mib": ended[1] - before[1], "name": f"Presidio, {model}"}))
"""


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", help="interpreter of an environment with presidio-analyzer")
    parser.add_argument("--pipeline", help="a spaCy pipeline installed here, for names")
    arguments = parser.parse_args()
    peer, pipeline = arguments.peer, arguments.pipeline
    rows = json.loads((data_folder("presidio") / "synth_dataset_v2.json").read_bytes())
    texts = [row["full_text"] for row in rows]
    characters = sum(map(len, texts))
    print(f"{machine()}; {len(rows):,} sentences, {characters:,} characters\n")
    arms: dict[str, list[list[Seen]]] = {}
    own: dict[str, Callable[[str], list[Seen]]] = {"expressions": floor, "gyre": recognized}
    if pipeline:
        own["gyre, names"] = partial(recognized, pipeline=pipeline)
    for name, recognize in own.items():
        recognize("warm up 1")
        started = time.process_time()
        arms[name] = [recognize(text) for text in texts]
        print(speed(name, characters, time.process_time() - started))
    if peer:
        answer = run(peer, _PRESIDIO, texts)
        arms["presidio"] = [
            [(start, end, _THEIR_NAMES.get(kind, kind)) for start, end, kind in spans]
            for spans in answer["spans"]
        ]
        print(
            f"{speed(answer['name'], characters, answer['cpu'])}; start {answer['start']:.1f} "
            f"CPU-s, {answer['mib']:.0f} MiB"
        )
    print(f"gyre's start: {start_of_gyre()}\n")
    labels = [labelled(row) for row in rows]
    for title, kinds in (("structured", STRUCTURED), ("others", OTHERS)):
        print(title)
        print(figures(labels, arms, kinds), end="\n\n")
    for title, rest in (("patterns may be written by these", 1), ("held out", 0)):
        half = [at for at, row in enumerate(rows) if row["template_id"] % 2 == rest]
        of_half = {arm: [spans[at] for at in half] for arm, spans in arms.items()}
        templates = len({rows[at]["template_id"] for at in half})
        print(f"structured, {title}: {len(half):,} sentences of {templates} templates")
        print(figures([labels[at] for at in half], of_half, STRUCTURED), end="\n\n")
    pages = kubernetes_pages()
    started = time.process_time()
    seen = Counter(span.kind for page in pages for span in find(page, frozenset(BY_DEFAULT)))
    seconds = time.process_time() - started
    print(f"{len(pages):,} pages of the Kubernetes documentation, kinds by default:")
    print(", ".join(f"{count} {kind}" for kind, count in seen.most_common()))
    print(speed("gyre", sum(map(len, pages)), seconds))


def floor(text: str) -> list[Seen]:
    """What anybody writes first."""
    return [(*match.span(), kind) for kind, each in _FLOOR.items() for match in each.finditer(text)]


def recognized(text: str, pipeline: str = "") -> list[Seen]:
    """What Gyre sees where every kind is chosen, by the data's names of kinds."""
    return [
        (span.start, span.end, _OUR_NAMES.get(span.kind, span.kind))
        for span in find(text, frozenset(PersonalData), pipeline)
    ]


def run(python: str, code: str, texts: Sequence[str]) -> dict[str, Any]:
    """The answer of another interpreter about the texts."""
    done = subprocess.run(
        [python, "-c", code], input=json.dumps(texts), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: {python}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def start_of_gyre() -> str:
    """CPU and memory of what is imported at the first text that is redacted."""
    code = (
        "import psutil, time, gyre_common.redaction\n"
        "def used(): return time.process_time(), psutil.Process().memory_info().rss / 2**20\n"
        "before = used()\n"
        "from gyre_common.redaction.finding import find, PersonalData\n"
        "find('+41 71 526 99 04, 536-90-4399', frozenset(PersonalData))\n"
        "after = used()\n"
        "print(f'{after[0] - before[0]:.2f} CPU-s, {after[1] - before[1]:.0f} MiB')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def labelled(row: Mapping[str, Any]) -> list[Seen]:
    """The spans of a sentence."""
    return [
        (each["start_position"], each["end_position"], each["entity_type"]) for each in row["spans"]
    ]


def figures(
    labels: Sequence[list[Seen]], arms: Mapping[str, Sequence[list[Seen]]], kinds: Iterable[str]
) -> str:
    """A row a kind: how many there are, precision and recall of each arm."""
    lines = []
    for kind in kinds:
        count = sum(each[2] == kind for spans in labels for each in spans)
        cells = [cell for spans in arms.values() for cell in scores(labels, spans, kind)]
        lines.append((kind, str(count), *cells))
    head = ("kind", "spans", *(f"{arm} {name}" for arm in arms for name in ("P", "R")))
    return table(head, lines)


def scores(labels: Sequence[list[Seen]], seen: Sequence[list[Seen]], kind: str) -> tuple[str, str]:
    """Precision and recall of a kind."""
    right = wrong = recalled = total = 0
    for truth, spans in zip(labels, seen, strict=True):
        wanted = [each for each in truth if each[2] == kind]
        own = [each for each in spans if each[2] == kind]
        total += len(wanted)
        recalled += sum(any(agree(each, other) for other in own) for each in wanted)
        for each in own:
            if any(agree(each, other) for other in wanted):
                right += 1
            elif kind != "ZIP_CODE" or not any(
                other[2] == "STREET_ADDRESS" and shared(each, other) for other in truth
            ):
                wrong += 1
    precision = f"{right / (right + wrong):.3f}" if right + wrong else "–"
    return precision, f"{recalled / total:.3f}" if total else "–"


def agree(one: Seen, other: Seen) -> bool:
    """Whether what both cover is more than half of what either covers."""
    return 2 * shared(one, other) > max(one[1], other[1]) - min(one[0], other[0])


def shared(one: Seen, other: Seen) -> int:
    """How many characters both cover."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def kubernetes_pages() -> list[str]:
    """The Markdown of the newer release."""
    with tarfile.open(data_folder("kubernetes-docs") / "v1.31.tar.gz") as packed:
        members = (each for each in packed if each.isfile() and each.name.endswith(".md"))
        files = (packed.extractfile(each) for each in members)
        return [each.read().decode(errors="replace") for each in files if each]


def speed(name: str, characters: int, seconds: float) -> str:
    """Characters a CPU-second."""
    return f"{name}: {characters / seconds:,.0f} characters a CPU-second"


if __name__ == "__main__":
    main()
