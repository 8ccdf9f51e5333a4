"""The words of the demonstration: how the manual puts things, and how those who ask put them."""

from collections.abc import Mapping
from dataclasses import dataclass

AREAS: Mapping[str, tuple[str, ...]] = {
    "intake gallery": ("trash rack", "stop log", "butterfly valve", "bypass pipe", "screen rake"),
    "turbine pit": ("guide vane", "runner blade", "thrust bearing", "shaft seal", "draft tube"),
    "generator floor": (
        "rotor winding",
        "stator core",
        "slip ring",
        "brush holder",
        "excitation unit",
    ),
    "cooling cellar": (
        "heat exchanger",
        "strainer basket",
        "circulation pump",
        "expansion tank",
        "mixing valve",
    ),
    "switch room": (
        "circuit breaker",
        "busbar joint",
        "surge arrester",
        "relay panel",
        "earthing switch",
    ),
    "crane bay": ("hoist drum", "wire rope", "hook block", "travelling motor", "buffer stop"),
    "battery room": (
        "battery cell",
        "charger module",
        "inverter bridge",
        "fuse carrier",
        "ventilation fan",
    ),
    "sluice deck": (
        "sluice gate",
        "hydraulic ram",
        "limit switch",
        "pressure accumulator",
        "sealing strip",
    ),
}
"""The rooms of a tidal power station, and the parts that stand in each."""


@dataclass(frozen=True)
class Aspect:
    """One thing the manual says of every part; `asked` in the words of those who ask.

    `{part}`, `{area}`, `{alias}` and the numbers `{n}` and `{m}` are filled in.
    """

    title: str
    sentences: tuple[str, ...]
    wordings: tuple[str, ...]


ASPECTS: tuple[Aspect, ...] = (
    Aspect(
        "Inspection interval",
        (
            "The {part} in the {area} is inspected every {n} operating hours.",
            "The interval is halved after the third finding in a row, and each inspection is "
            "entered in logbook {m}.",
        ),
        (
            "how often is the {alias} inspected",
            "when is the next check of the {alias} due",
            "after how many hours of operation does somebody look over the {alias}",
            "what is the regular interval for the {alias}",
        ),
    ),
    Aspect(
        "Permissible temperature",
        (
            "The surface of the {part} in the {area} stays below {n} degrees Celsius in continuous "
            "service.",
            "Above that limit the load is reduced in steps of {m} percent.",
        ),
        (
            "how hot may the {alias} get",
            "how many degrees can the {alias} take",
            "the {alias} feels too warm, where is the limit",
            "what is the highest temperature for the {alias}",
        ),
    ),
    Aspect(
        "Lubrication",
        (
            "The {part} in the {area} receives {n} grams of lithium grease at each nipple.",
            "Surplus grease is wiped off after {m} minutes of running.",
        ),
        (
            "what do I smear on the {alias} so that it moves freely",
            "how much grease does the {alias} want",
            "the {alias} runs dry, which oil goes on it",
            "which fat is right for the {alias}",
        ),
    ),
    Aspect(
        "Dismantling",
        (
            "Before dismantling, the {part} in the {area} is supported by {n} jacks and marked.",
            "The retaining screws are withdrawn crosswise, the last {m} by hand.",
        ),
        (
            "how do I take the {alias} apart",
            "I have to get the {alias} out, which screws come off first",
            "in which order is the {alias} undone",
            "how is the {alias} held up while I dismantle it",
        ),
    ),
    Aspect(
        "Abnormal noise",
        (
            "A grinding noise of the {part} in the {area} points to wear of stage {n}.",
            "The vibration level is recorded for {m} seconds and compared with the reference.",
        ),
        (
            "the {alias} makes a noise, what does that mean",
            "what if the {alias} sounds wrong",
            "there is a grinding whenever the {alias} turns",
            "the {alias} vibrates and hums louder than last week",
        ),
    ),
    Aspect(
        "Storage of spares",
        (
            "A spare {part} for the {area} is stored in rack {n}, dry and wrapped.",
            "The stock is counted every {m} weeks, and withdrawals are signed for.",
        ),
        (
            "where do we keep a second {alias}",
            "is there a spare {alias} on some shelf",
            "in which rack do I find one more {alias}",
            "how many of the {alias} are left in stock",
        ),
    ),
    Aspect(
        "Tightening torque",
        (
            "The bolts of the {part} in the {area} are tightened to {n} newton metres in two "
            "passes.",
            "The torque is verified again after {m} hours under load.",
        ),
        (
            "how firmly do I screw down the {alias}",
            "what torque do I set the wrench to for the {alias}",
            "the bolts of the {alias} work loose, how hard should they be pulled",
            "how strong must I tighten the nuts on the {alias}",
        ),
    ),
    Aspect(
        "Corrosion protection",
        (
            "The {part} in the {area} carries a zinc primer and {n} coats of epoxy.",
            "Damaged coating is ground back by {m} millimetres and renewed.",
        ),
        (
            "the {alias} is going rusty, what now",
            "what paint belongs on the {alias}",
            "how is the {alias} kept from corroding in salt water",
            "the coating of the {alias} is scratched through",
        ),
    ),
    Aspect(
        "Emergency shutdown",
        (
            "In an emergency the {part} in the {area} is isolated by lever {n}.",
            "It may be released only by the shift lead, not before {m} minutes have passed.",
        ),
        (
            "how do I stop the {alias} at once in an emergency",
            "which lever do I pull when the {alias} is a danger",
            "how do I shut off the {alias} right away",
            "who lets me switch the {alias} back on after an emergency stop",
        ),
    ),
    Aspect(
        "Cleaning",
        (
            "The {part} in the {area} is rinsed with demineralised water at {n} bar.",
            "Solvents are not permitted; residues are brushed off after {m} minutes of soaking.",
        ),
        (
            "the {alias} is filthy, how do I wash it",
            "what gets the dirt off the {alias}",
            "can I hose down the {alias} with water",
            "may I use a solvent to clean the {alias}",
        ),
    ),
    Aspect(
        "Commissioning",
        (
            "After installation the {part} in the {area} runs without load for {n} minutes.",
            "Acceptance needs {m} readings in a row within tolerance.",
        ),
        (
            "what has to happen before a newly installed {alias} goes to work",
            "the new {alias} is in, how do I try it out without load",
            "how long is the first run of the {alias}",
            "when is a new {alias} accepted",
        ),
    ),
    Aspect(
        "Disposal",
        (
            "A worn {part} from the {area} is handed in at collection point {n}.",
            "Fluids are drained first, and the certificate is filed for {m} years.",
        ),
        (
            "where does a worn-out {alias} go",
            "may I throw away the old {alias}",
            "how do we dispose of a dead {alias}",
            "at which point is a broken {alias} collected",
        ),
    ),
)

OPENINGS: tuple[str, ...] = (
    "",
    "",
    "Hello, ",
    "Quick one: ",
    "Please tell me, ",
    "One more: ",
    "Sorry, ",
    "Anybody here? ",
)

HINTS: tuple[str, ...] = (
    " It is the one in the {area}.",
    " I am standing in the {area}.",
    " The {area} is where it sits.",
    " This is about the {area}.",
)

ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "gl", "gr", "k", "kl", "m", "n", "pl", "qu", "sn")
ONSETS_INSIDE = ("b", "d", "f", "g", "l", "m", "n", "p", "r", "t", "v", "z")
VOWELS = ("a", "e", "i", "o", "u")
CODAS = ("b", "ck", "g", "lt", "mp", "n", "nk", "p", "rt", "sk", "t", "x", "zzle")
