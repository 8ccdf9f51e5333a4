"""Files of every kind: which are read, what is kept, and what that costs.

    python -m bench.formats [--peer PYTHON]

reads each file of `documents/` as the ingestor does and prints its fate. Beside it, where PYTHON is
the interpreter of an environment with `markitdown[all]`, what that makes of it. Five PDFs come with
Markdown that markitdown itself wrote: F1 of the words, and of those in the same order (ROUGE-L).
Each file is read in a process of its own, once: seconds and memory hold its start and imports.
"""

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.report import data_folder, machine, table

ARCHIVE = "markitdown-test-files.tar.gz"
_LIMIT = 120
_OURS = """
import sys
from pathlib import Path
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.media_types import media_type_of, telling_part
from gyre_ingestor.refused import DocumentRefused
path = Path(sys.argv[1])
data = path.read_bytes()
try:
    kind = media_type_of(telling_part(data), None, (path.name,))
    print(FORMATS[kind.name].parse(data, kind.charset).text)
except DocumentRefused as refused:
    sys.exit(f"refused: {refused.problem}")
"""
_MARKITDOWN = """
import sys
from markitdown import MarkItDown
print(MarkItDown().convert(sys.argv[1]).markdown)
"""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Reading:
    """Of one file; `text` is None where it was not read."""

    text: str | None
    problem: str
    seconds: float
    mib: float


def main() -> None:
    """Reads all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", help="interpreter of an environment with markitdown[all]")
    peer = parser.parse_args().peer
    archive = data_folder("documents") / ARCHIVE
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        files = sorted(each for each in Path(folder).rglob("*.*") if each.is_file())
        expected = {each.stem: each for each in files if each.parent.name == "expected_outputs"}
        files = [each for each in files if each not in expected.values()]
        wanted = {name: each.read_text(encoding="utf-8") for name, each in expected.items()}
        print(f"{machine()}; {len(files)} files\n")
        arms = {"gyre": (sys.executable, _OURS)}
        if peer:
            arms["markitdown"] = (peer, _MARKITDOWN)
        rows: list[tuple[str, ...]] = []
        readings: dict[str, list[Reading]] = {arm: [] for arm in arms}
        for file in files:
            row = [file.name]
            for arm, (python, code) in arms.items():
                reading = read(python, code, file)
                readings[arm].append(reading)
                row += _cells(reading, wanted.get(file.stem, "") if file.suffix == ".pdf" else "")
            rows.append(tuple(row))
    figures = ("words", "F1", "in order", "CPU-s", "MiB")
    print(table(("file", *(f"{arm} {name}" for arm in arms for name in figures)), rows))
    for arm, all_of_arm in readings.items():
        good = [each for each in all_of_arm if each.text]
        print(
            f"\n{arm}: {len(good)} of {len(files)} read, "
            f"{sum(each.seconds for each in all_of_arm):.1f} CPU-s, "
            f"{max(each.mib for each in all_of_arm):.0f} MiB at most; not read: "
            + "; ".join(
                f"{file.name} ({each.problem})"
                for file, each in zip(files, all_of_arm, strict=True)
                if not each.text
            )
        )


def read(python: str, code: str, file: Path) -> Reading:
    """In a process of its own."""
    wrapped = (
        "import json, resource, subprocess, sys\n"
        f"done = subprocess.run([{python!r}, '-c', {code!r}, {str(file)!r}], capture_output=True, "
        f"text=True, errors='replace', timeout={_LIMIT})\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([done.returncode, done.stdout, done.stderr[-300:], "
        "used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))"
    )
    command = [sys.executable, "-c", wrapped]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Reading(None, f"over {_LIMIT} s", _LIMIT, 0)
    code_of_exit, text, error, seconds, mib = json.loads(done.stdout)
    problem = (error.strip().splitlines() or [""])[-1][:80]
    return Reading(None if code_of_exit else text.strip(), problem, seconds, mib)


def _cells(reading: Reading, wanted: str) -> list[str]:
    if reading.text is None:
        return ["–", "", "", f"{reading.seconds:.2f}", f"{reading.mib:.0f}"]
    own = _WORD.findall(reading.text.lower())
    scores = ["", ""]
    if wanted:
        goal = _WORD.findall(wanted.lower())
        shared = sum((Counter(own) & Counter(goal)).values())
        scores = [f"{_f1(part, own, goal):.3f}" for part in (shared, _longest_common(own, goal))]
    return [str(len(own)), *scores, f"{reading.seconds:.2f}", f"{reading.mib:.0f}"]


def _f1(shared: int, own: list[str], goal: list[str]) -> float:
    return 2 * shared / (len(own) + len(goal)) if own or goal else 1.0


def _longest_common(own: list[str], goal: list[str]) -> int:
    lengths = [0] * (len(goal) + 1)
    for word in own:
        before = 0
        for at, other in enumerate(goal, start=1):
            before, lengths[at] = (
                lengths[at],
                (before + 1 if word == other else max(lengths[at], lengths[at - 1])),
            )
    return lengths[-1]


if __name__ == "__main__":
    main()
