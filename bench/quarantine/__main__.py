"""What the quarantine holds of texts with and without instructions to a model, or abuse.

    python -m bench.quarantine [--peer PYTHON]

Every text is screened as a document is, beside a list of key words. PYTHON of --peer is an
environment with `aicordon`, `ai-injection-guard` and `alt-profanity-check`, which it uses as they
come, on the first 4,000 characters of 40 texts of each set: some are slow. A text counts as
abusive to alt-profanity-check where a sentence is by 0.9 or more.
"""

import argparse
import json
import random
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from gyre_common.events.documents import FindingKind
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.screening.screen import screen

from bench.quarantine.corpora import attacks, benign, dialogues, sentences
from bench.report import machine, table

_PEER_TEXTS, _PEER_CHARACTERS, _SEED = 40, 4000, 7
_KEY_WORDS = re.compile(
    r"\b(?:ignore|disregard|forget|pretend|jailbreak|system prompt|instructions|your response"
    r"|your answer|do not tell|you are now|act as)\b",
    re.IGNORECASE,
)
_SWEAR_WORDS = re.compile(r"\b(?:fuck|shit|bitch|idiot|stupid|asshole|kill|hate)\w{0,5}\b", re.I)
_PEERS = """
import json, sys, time
from aicordon import picket
from prompt_shield import PromptScanner
import profanity_check
guard, scanner = picket.load(), PromptScanner()
arms = {
    "instructions": {
        "picket": lambda text: guard.check(text["text"]).flagged,
        "injection-guard": lambda text: not scanner.scan(text["text"]).is_safe,
    },
    "toxicity": {
        "alt-profanity": lambda text: max(
            profanity_check.predict_prob(text["sentences"] or ["-"])) >= 0.9,
    },
}
answer = {}
for kind, sets in json.load(sys.stdin).items():
    for arm, is_held in arms[kind].items():
        began = time.process_time()
        held = {name: sum(map(bool, map(is_held, texts))) for name, texts in sets.items()}
        answer[arm] = held, time.process_time() - began
print(json.dumps(answer))
"""

_NEITHER = frozenset(["hh, chosen replies", "hh, first questions"])

Sets = Mapping[str, Sequence[str]]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", help="interpreter of an environment with the peers")
    peer = parser.parse_args().peer
    harmless = benign()
    sets = {
        FindingKind.INSTRUCTIONS: {**harmless, **attacks()},
        FindingKind.TOXICITY: {**harmless, **dialogues()},
    }
    print(machine(), end="\n\n")
    peers = peer_figures(peer, sets) if peer else {}
    floors = {FindingKind.INSTRUCTIONS: _KEY_WORDS, FindingKind.TOXICITY: _SWEAR_WORDS}
    arms = {
        FindingKind.INSTRUCTIONS: ("picket", "injection-guard"),
        FindingKind.TOXICITY: ("alt-profanity",),
    }
    for kind, floor in floors.items():
        print(figures(kind, sets[kind], floor, {arm: peers[arm] for arm in arms[kind] if peers}))


def figures(
    kind: FindingKind,
    sets: Sets,
    floor: re.Pattern[str],
    peers: Mapping[str, tuple[Mapping[str, int], float]],
) -> str:
    """A row a set: how many texts, and of how many each arm says that they are to be held."""
    own = {"key words": lambda text: floor.search(text) is not None, "gyre": screener(kind)}
    counts, speeds = {}, []
    for name, is_held in own.items():
        began = time.process_time()
        counts[name] = {each: sum(map(is_held, texts)) for each, texts in sets.items()}
        characters = sum(len(text) for texts in sets.values() for text in texts)
        speeds.append(f"{name} {characters / (time.process_time() - began):,.0f}")
    sampled = sum(len(text) for texts in sample(sets).values() for text in texts)
    speeds += [f"{name} {sampled / seconds:,.0f}" for name, (_, seconds) in peers.items()]
    rows = [
        (
            each,
            f"{len(texts):,}",
            *(f"{counts[name][each]:,} ({counts[name][each] / len(texts):.1%})" for name in own),
            *(f"{held[each]} of {len(sample(sets)[each])}" for held, _ in peers.values()),
        )
        for each, texts in sets.items()
    ]
    lines = [
        f"{kind}: texts held",
        table(("set", "texts", *own, *peers), rows),
        precision(counts["gyre"], sets),
        f"characters a CPU-second: {', '.join(speeds)}",
    ]
    return "\n".join(lines) + "\n"


def precision(held: Mapping[str, int], sets: Sets) -> str:
    """Of Gyre: of all that it holds of clean and of attacked or rejected texts, how much should be.
    What people chose or asked is neither.
    """
    harmless = benign().keys()
    wrong = sum(held[each] for each in sets if each in harmless)
    clean = sum(len(sets[each]) for each in sets if each in harmless)
    right = sum(held[each] for each in sets if each not in harmless | _NEITHER)
    share = right / (right + wrong) if right + wrong else 1.0
    return f"gyre: {wrong} of {clean:,} clean texts held; precision {share:.3f}"


def screener(kind: FindingKind) -> Callable[[str], bool]:
    """As the ingestor does with a document whose text that is."""

    def is_held(text: str) -> bool:
        return bool(
            screen(ParsedDocument(title="", text=text, sections=()), "", "default", (kind,))
        )

    return is_held


def sample(sets: Sets) -> Sets:
    """What peers read: the same in every run."""
    chance = random.Random(_SEED)
    return {
        name: [
            text[:_PEER_CHARACTERS]
            for text in chance.sample(list(texts), min(_PEER_TEXTS, len(texts)))
        ]
        for name, texts in sets.items()
    }


def peer_figures(
    python: str, sets: Mapping[FindingKind, Sets]
) -> dict[str, tuple[Mapping[str, int], float]]:
    """By arm: how many texts of each set are held, and the CPU-seconds of all."""
    texts = {
        kind: {
            name: [{"text": text, "sentences": sentences(text)} for text in some]
            for name, some in sample(own).items()
        }
        for kind, own in sets.items()
    }
    done = subprocess.run(
        [python, "-c", _PEERS], input=json.dumps(texts), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: {python}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, tuple[Mapping[str, int], float]] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    main()
