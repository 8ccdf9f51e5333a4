"""What a question asks for: its terms, and the signs by which an answer shows."""

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from gyre_common.text import Kind, content_terms


class ExpectedAnswerKind(StrEnum):
    """What kind of thing would answer."""

    PERSON = "person"
    TIME = "time"
    PLACE = "place"
    QUANTITY = "quantity"
    REASON = "reason"
    MANNER = "manner"
    DEFINITION = "definition"
    OTHER = "other"


_FORMS: dict[ExpectedAnswerKind, re.Pattern[str]] = {
    ExpectedAnswerKind.QUANTITY: re.compile(
        r"\bhow (?:many|much|long|old|tall|high|far|big|large|fast|often|deep|heavy)\b"
        r"|\bwhat (?:number|percent\w*|amount|size|is the (?:maximum|minimum|default) \w+)\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.TIME: re.compile(
        r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|time|decade)\b", re.IGNORECASE
    ),
    ExpectedAnswerKind.PERSON: re.compile(
        r"\bwho(?:m|se)?\b|\bwhat (?:actor|actress|singer|author|person)\b", re.IGNORECASE
    ),
    ExpectedAnswerKind.PLACE: re.compile(
        r"\bwhere\b|\b(?:what|which) (?:country|city|state|place|town|region|continent)\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.REASON: re.compile(
        r"\bwhy\b|\bwhat (?:caused?|causes|is the (?:reason|purpose|cause))\b", re.IGNORECASE
    ),
    ExpectedAnswerKind.MANNER: re.compile(
        r"\bhow (?:do|does|did|can|to|should|is|are|would|could)\b|^\s*how\b"
        r"|\b(?:steps|procedure|command|configure|install)\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.DEFINITION: re.compile(
        r"^\s*(?:what(?:'s|’s| is| are| was| were)|who (?:is|was|are|were)|define|describe"
        r"|explain|meaning of|definition of)\b|\bwhat (?:does|do) .{0,200} mean\b|\bis meant by\b",
        re.IGNORECASE,
    ),
}

_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_SIGNS: dict[ExpectedAnswerKind, re.Pattern[str]] = {
    ExpectedAnswerKind.TIME: re.compile(
        rf"\b(?:1\d{{3}}|20\d\d)s?\b|\b{_MONTH}\b|\b\d{{1,2}}:\d\d\b|\b\d+(?:st|nd|rd|th) centur"
        r"|\b(?:since|until|after|before|during)\b.{0,200}\d|\bseconds?\b|\bminutes?\b|\bdays?\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.QUANTITY: re.compile(
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozens?|hundreds?|thousands?"
        r"|millions?|billions?|half|twice)\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.PERSON: re.compile(
        r"(?<=[a-z,;)] )[A-Z][a-zé'’-]+(?: [A-Z][\w'’.-]+)+|^[A-Z]\w+ [A-Z]"
    ),
    ExpectedAnswerKind.PLACE: re.compile(
        r"\b(?:in|at|near|from|to|on|of|between|north|south|east|west) (?:the )?[A-Z]\w+"
        r"|\blocated\b"
    ),
    ExpectedAnswerKind.REASON: re.compile(
        r"\b(?:because|due to|so that|in order to|caused? by|as a result|therefore|since|leads? to"
        r"|allows?|prevents?|reasons?|led to|owing to|result(?:ed|s) in)\b",
        re.IGNORECASE,
    ),
    ExpectedAnswerKind.MANNER: re.compile(
        r"\b(?:by \w+ing|run|using|set|create|configure|specify|add|install|enable|must|should"
        r"|use|first|then|steps?)\b",
        re.IGNORECASE,
    ),
}
_COPULA = re.compile(
    r"^\W*+(?:in [^,]{3,60}, )?(?:(?:a|an|the) )?(?P<subject>[^.;]{1,80}?)"
    r"(?: \([^)]{0,80}\)|,[^,]{2,60},)? (?:is|are|was|were|means|refers? to|describes|lets?"
    r"|provides?|represents?|defines?|consists?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class AnalysedQuestion:
    """A question made ready for comparing."""

    terms: tuple[str, ...]
    bigrams: frozenset[tuple[str, str]]
    answer_kinds: frozenset[ExpectedAnswerKind]


def analyse(text: str) -> AnalysedQuestion:
    """Terms, word pairs and form of a question; several forms may fit at once."""
    terms = content_terms(text)
    kinds = {kind for kind, form in _FORMS.items() if form.search(text)}
    if ExpectedAnswerKind.QUANTITY in kinds or ExpectedAnswerKind.TIME in kinds:
        kinds -= {ExpectedAnswerKind.MANNER}
    return AnalysedQuestion(
        terms=tuple(dict.fromkeys(terms)),
        bigrams=frozenset(pairwise(terms)),
        answer_kinds=frozenset(kinds or {ExpectedAnswerKind.OTHER}),
    )


def bears_sign(question: AnalysedQuestion, sentence: str, kind: Kind) -> bool:
    """Whether a sentence bears the sign of what is asked; a name that the question itself gave is
    none.
    """
    if ExpectedAnswerKind.MANNER in question.answer_kinds and kind in (Kind.CODE, Kind.ITEM):
        return True
    for answer_kind in question.answer_kinds & _SIGNS.keys():
        for match in _SIGNS[answer_kind].finditer(sentence):
            words = content_terms(match.group())
            if not words or any(word not in question.terms for word in words):
                return True
    return False


def defines(question: AnalysedQuestion, sentence: str) -> bool:
    """Whether a sentence says what its subject is, and the subject is what was asked about."""
    if not question.answer_kinds & {ExpectedAnswerKind.DEFINITION, ExpectedAnswerKind.OTHER}:
        return False
    match = _COPULA.match(sentence)
    if not match:
        return False
    subject = content_terms(match.group("subject"))
    return bool(subject) and sum(term in question.terms for term in subject) * 2 >= len(subject)
