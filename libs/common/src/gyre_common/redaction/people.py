"""Names, street addresses, birthdays, ages and papers: the words around them tell."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from gyre_common.personal_data import PersonalData
from gyre_common.redaction.spans import Span, words_before

_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-ŽА-Я]"
_CAPITALIZED = rf"{_CAPITAL}[\w'’-]{{0,30}}"
_INITIAL = rf"{_CAPITAL}\."
_FIRST = rf"(?:{_INITIAL}[ \u00a0]?){{0,3}}{_CAPITAL}[\w'’-]{{1,30}}"
_NAME = (
    rf"{_FIRST}(?:[ \u00a0](?:{_INITIAL}|(?:von|van|de|del|della|di|da|la|le|den|der|bin|al)"
    rf"(?= )|{_CAPITALIZED})){{0,4}}"
)
_FULL_NAME = rf"{_FIRST}(?:[ \u00a0](?:{_INITIAL}|{_CAPITALIZED})){{1,3}}"
_WITH_TITLE = re.compile(
    r"(?<!\w)(?:(?:Mr|Mrs|Ms|Mx|Dr|Prof|Sr|Sra|Dott|Mme|Mlle|Hr|Fr)\.|(?:Mr|Mrs|Ms|Miss|Mx|Dr"
    r"|Professor|Herrn?|Frau|Monsieur|Madame|Mme|Mademoiselle|Señora?|Signora?|Mevrouw|Meneer)"
    rf"(?![\w.]))[ \u00a0](?:(?:Dr|Prof)\.[ \u00a0]){{0,2}}(?P<name>{_NAME})"
)
_INTRODUCED = re.compile(
    r"(?<!\w)(?:[Mm]y (?:full |maiden )?name is|[Hh](?:is|er) (?:full |maiden )?name is"
    r"|[Tt]heir name is|[Mm]ein Name ist|[Ii]ch heiße|[Jj]e m['’]appelle"
    r"|[Mm]e llamo|[Mm]i nombre es|[Mm]i chiamo|[Mm]eu nome é|[Ii]k heet|[Dd]ear|[Rr]egards,"
    r"|[Ss]incerely,|[Cc]heers,|[Yy]ours truly,)"
    rf"[ \u00a0\n]{{1,2}}(?P<name>{_NAME})"
)
_FIELD = re.compile(
    r"(?<!\w)(?:[Nn]ame|NAME|[Ff]ull name|Patient|[Cc]ustomer|[Cc]ontact|Nom|Nombre|Nome|From|To|Cc"
    rf"|Author|Attn|ATTN|Signed)[ ]?:[ \t]{{0,4}}(?P<name>{_FULL_NAME})"
)
_BESIDE_EMAIL = re.compile(rf"(?<!\w)[\"']?(?P<name>{_FULL_NAME})[\"']? ?[<(](?=[\w.+%-]{{1,64}}@)")
_NO_NAMES = re.compile(
    r"^(?:All|Sir|Madam|Team|Customer|Colleagues?|Friends?|Sirs|Both|Everyone|The|A|An|This|It|We)\b"
)


def people(text: str) -> Iterator[Span]:
    """Names after a title, a greeting or a word for them, and beside an e-mail address."""
    for pattern in (_WITH_TITLE, _INTRODUCED, _FIELD, _BESIDE_EMAIL):
        for match in pattern.finditer(text):
            if not _NO_NAMES.match(match["name"]):
                yield Span(*match.span("name"), PersonalData.PERSON)


_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|mar(?:ch|s)?|märz|apr(?:il)?|avril|ma[iy]"
    r"|june?|juin|juni|july?|juillet|juli|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?"
    r"|nov(?:ember|embre)?|de[cz](?:ember)?|décembre)\.?"
)
_DATE = re.compile(
    r"(?<![\w./-])(?:"
    r"(?:19|20)\d{2}([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"(?:[T ](?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
    r"|(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\2(?:(?:19|20)\d{2}|\d{2})"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|\.)?(?: of)? {_MONTH},? (?:19|20)\d{{2}}"
    rf"|{_MONTH} (?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,? (?:19|20)\d{{2}}"
    r")(?![\w/]|[.-]\d)",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"(?<!\w)(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day(?!\w)")
_YEAR = re.compile(r"(?<![\w.,/:-])(?:19|20)\d{2}(?![\w/]|[.,-]\d)", re.ASCII)
_YEAR_BEFORE = re.compile(
    r"(?:\b(?:in|since|during|of|from|until|till|by|before|after|around|about|year|on|is|a)|[(–-])"
    r"[ \u00a0]{0,2}$",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    r"\b(?:born|birth(?:day|date)?|date of birth|d\.?o\.?b|geboren|geburts(?:datum|tag)|née?"
    r"|naissance|nacid[oa]|nacimiento|nat[oa]|nascita|geboortedatum)\b[^\n]{0,24}$",
    re.IGNORECASE,
)


def dates(text: str) -> Iterator[Span]:
    """Whole dates, weekdays, and years after a word for time; a birthday is a kind of its own."""
    for match in _DATE.finditer(text):
        is_birth = _BIRTH.search(words_before(text, match.start()))
        kind = PersonalData.BIRTH_DATE if is_birth else PersonalData.DATE_TIME
        yield Span(*match.span(), kind)
    for match in _WEEKDAY.finditer(text):
        yield Span(*match.span(), PersonalData.DATE_TIME)
    for match in _YEAR.finditer(text):
        if _YEAR_BEFORE.search(text[max(0, match.start() - 12) : match.start()]):
            yield Span(*match.span(), PersonalData.DATE_TIME)


_AGE = re.compile(
    r"(?<![\w.,])(?P<before>\d{1,3})(?:[ -](?:years?|yrs?)[ -]olds?| ?y/?o)(?!\w)"
    r"|(?<!\w)(?:aged?|at the age of|age of|age:|turn(?:ed|s|ing)?|he was|she was|i am)"
    r"(?: just| is)? (?P<after>\d{1,3})(?![\w%]|[.,:/]\d| [a-z]{3,12}s\b)",
    re.IGNORECASE,
)
_OLDEST = 120


def ages(text: str) -> Iterator[Span]:
    """`63 years old`, `aged 63`."""
    for match in _AGE.finditer(text):
        group = "before" if match["before"] else "after"
        if int(match[group]) <= _OLDEST:
            yield Span(*match.span(group), PersonalData.AGE)


_WORD = r"[A-ZÀ-ÖØ-Þ0-9][\w'’.-]{0,30}"
_STREET = re.compile(
    rf"(?<![\w.,-])\d{{1,5}}[a-zA-Z]? (?:{_WORD} ){{1,4}}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Court|Way|Square|Terrace"
    r"|Place|Highway|Hwy|Parkway|Crescent|Close|Row)\b\.?(?:,? (?:Apt|Suite|Unit|Ste)\.? \w{1,6})?"
    r"|(?<!\w)[A-ZÄÖÜ][a-zäöüß-]{1,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|straat|laan|katu"
    r"|gatan|vej|gade) \d{1,4} ?[a-z]?(?!\w)"
    r"|(?<![\w.,-])\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|quai|impasse|allée)"
    rf"(?: (?:de|du|des|la|le|les|{_WORD})){{1,5}}"
    r"|(?<!\w)(?:Calle|Via|Viale|Piazza|Avenida|Rua|Plaza|Carrer)"
    rf"(?: (?:de|del|della|di|da|do|dos|{_WORD})){{1,5}},? \d{{1,4}}(?!\w)"
    r"|(?<!\w)P\.? ?O\.? Box \d{1,6}"
)
_ZIP = re.compile(
    r"(?<![\w.,/-])(?:\d{4,5}-\d{3,4}|\d{3}[ -]\d{2,4}|\d{2}-\d{3}|\d{4} [A-Z]{2}|\d{3,6}"
    r"|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)(?![\w/-]|[.,]\d)",
    re.ASCII,
)
_UNMISTAKABLE_ZIP = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d[A-Z] \d[A-Z]\d")
_ZIP_BEFORE = re.compile(
    r"(?:\b(?:zip|zip ?code|post(?:al)? ?code|plz|postleitzahl|code postal|c[óo]digo postal|cap|cep"
    r"|postnummer|postinumero|индекс)\b(?: is)?\W{0,4}|邮编\W{0,2}|〒 ?"
    r"|(?-i:\b(?:A[EAPLKZR]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]"
    r"|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]) ))$",
    re.IGNORECASE,
)

_TOWN = (
    rf"{_CAPITAL}[\w'’-]{{1,30}}"
    rf"(?: (?:(?:de|do|da|di|la|le|am|upon|sur) )?{_CAPITAL}[\w'’-]{{0,30}}){{0,3}}"
)
_TOWN_BEFORE = re.compile(rf"\b(?:in|near|from|to) (?P<town>{_TOWN}) $")
_TOWN_CODE = re.compile(
    r"(?!(?:19|20)\d{2}\Z)(?:\d{4,6}|\d{3} \d{2}|\d{4}-\d{3}|\d{2}-\d{3})", re.ASCII
)
_NO_TOWN = re.compile(
    r"\b(?:room|flight|chapter|section|model|version|figure|table|part|page|article|building|block"
    r"|unit|level|phase|line|bus|train|route|highway|error|code|series|group|class|gate|floor|ports?"
    r"|rfc|iso|din|en|windows|office|year|appendix|order|case|ticket|issue|invoice|number|type|step"
    r"|zone|bits?|hz|eur|usd|january|february|march|april|may|june|july|august|september|october"
    r"|november|december|spring|summer|autumn|fall|winter)\Z",
    re.IGNORECASE,
)
_TOWN_LINE_BEFORE = re.compile(
    rf"[ ,]\d{{1,5}}[a-z]?[ \t]{{0,4}}\n{_CAPITAL}[^\W\d]{{1,30}}"
    r"(?:[ '’.-][^\W\d]{1,30}){0,5} $"
)
_STREET_GAP = 3
"""Characters between a street and the post code behind it."""

_ADDRESS_BEFORE = re.compile(r"(?<!\w)address:.{0,180}\n[ \t]{0,8}$", re.IGNORECASE | re.DOTALL)


def street_addresses(text: str) -> Iterator[Span]:
    """A house number beside a word for a street."""
    for match in _STREET.finditer(text):
        yield Span(*match.span(), PersonalData.STREET_ADDRESS)


def zip_codes(text: str) -> Iterator[Span]:
    """After a word for them or an American state, behind a street or a town, alone on the last line
    of an address; those of some countries by their shape.
    """
    streets = [match.end() for match in _STREET.finditer(text)]
    for match in _ZIP.finditer(text):
        start, end = match.span()
        if (
            _UNMISTAKABLE_ZIP.fullmatch(match.group())
            or _ZIP_BEFORE.search(words_before(text, start))
            or _follows_street(text, start, streets)
            or _follows_town(text, match)
            or (
                _ADDRESS_BEFORE.search(text[max(0, start - 200) : start])
                and _is_line_end(text, end)
            )
        ):
            yield Span(start, end, PersonalData.ZIP_CODE)


def _follows_street(text: str, start: int, streets: Sequence[int]) -> bool:
    at = bisect_right(streets, start) - 1
    gap = text[streets[at] : start] if at >= 0 else ""
    return 0 < len(gap) <= _STREET_GAP and not gap.strip(" ,\n")


def _follows_town(text: str, code: re.Match[str]) -> bool:
    if not _TOWN_CODE.fullmatch(code.group()):
        return False
    before = words_before(text, code.start())
    if _TOWN_LINE_BEFORE.search(before):
        return _is_line_end(text, code.end())
    town = _TOWN_BEFORE.search(before)
    return town is not None and not _NO_TOWN.search(town["town"])


def _is_line_end(text: str, at: int) -> bool:
    return not text[at : at + 2].partition("\n")[0].strip()


_PAPER_NUMBER = (
    r"(?:['’]s)?(?: (?:number|no\.?|nr\.?|num))?(?: (?:is|was))?[ ]?[:#=]?[ ]{0,2}"
    r"(?P<number>(?=[A-Z]{0,4}-?\d)[A-Z0-9](?:-?[A-Z0-9]){4,19})(?!\w)"
)
_LICENSE = re.compile(
    r"(?<!\w)(?:(?:driver(?:['’]?s)?|driving) licen[cs]e|führerschein|permis de conduire"
    rf"|licencia de conducir|patente di guida){_PAPER_NUMBER}",
    re.IGNORECASE,
)
_PASSPORT = re.compile(
    rf"(?<!\w)(?:passport|reisepass|passeport|pasaporte|passaporto|paspoort){_PAPER_NUMBER}",
    re.IGNORECASE,
)


def papers(text: str) -> Iterator[Span]:
    """Numbers of licences and passports after a word for them: they have no shape of their own."""
    for pattern, kind in (
        (_LICENSE, PersonalData.DRIVER_LICENSE),
        (_PASSPORT, PersonalData.PASSPORT),
    ):
        for match in pattern.finditer(text):
            yield Span(*match.span("number"), kind)
