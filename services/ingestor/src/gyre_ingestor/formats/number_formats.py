"""Number formats of spreadsheets (ECMA-376, part 1, section 18.8.31): values as they are shown."""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|\*.|(?P<room>_.)|\[(?P<bracket>[^\]]{0,60})\]|(?P<ampm>AM/PM|A/P)'
    r"|(?P<date>y{1,5}|m{1,5}|d{1,4}|h{1,2}|s{1,2}(?:\.0{1,3})?)|(?P<general>General)"
    r"|(?P<exponent>E[+-])|(?P<digit>[0#?,.]+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(?P<sign><=|>=|<>|<|>|=)(?P<limit>-?\d+(?:\.\d+)?)\Z")
_CURRENCY = re.compile(r"\$(?P<symbol>[^-]*)(?:-(?P<locale>[0-9A-F]*))?\Z", re.IGNORECASE)
_ELAPSED = ("h", "hh", "m", "mm", "s", "ss")
_ENGLISH = re.compile(r"(?:.*09)?\Z")
_BY_SIGN = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "=": lambda value, limit: value == limit,
    "<>": lambda value, limit: value != limit,
}
_DAY_ZERO = datetime(1899, 12, 30)
_LARGEST = 1e15
"""What is larger has no digits behind the point that were right."""

_LONGEST = 400
"""Characters of a format; nobody writes longer ones."""

Value = float | datetime | date | time | timedelta


class _Token(NamedTuple):
    kind: str
    text: str


class _Section(NamedTuple):
    tokens: tuple[_Token, ...]
    kinds: frozenset[str]
    digits: tuple[str, ...]
    percents: int
    condition: tuple[str, float] | None
    is_foreign: bool

    def has(self, kind: str) -> bool:
        return kind in self.kinds


def displayed(value: Value, code: str) -> str:
    """Nothing where the format hides it. Separators are English ones, whatever the reader's are.

    A date whose format leaves the order to the reader's machine, or names months in another
    language than English, is written by ISO 8601, as is one without a format.
    """
    sections = _sections(code)
    if isinstance(value, float | int):
        section, is_signed = _chosen(sections, value)
        is_sized = abs(value) < _LARGEST
        if not is_sized or section is None or section.kinds & {"general", "date", "elapsed"}:
            return plain(value)
        number = _number(section, abs(value))
        return f"-{number}" if value < 0 and is_signed and number.strip("0.,% ") else number
    section = sections[0]
    if not section.has("date") and not section.has("elapsed"):
        return plain(value)
    names_words = any(token.kind == "date" and len(token.text) > 2 for token in section.tokens)
    return plain(value) if section.is_foreign and names_words else _moment(section, value)


@lru_cache(maxsize=1024)
def _sections(code: str) -> tuple[_Section, ...]:
    return tuple(_section(part) for part in _parts(code[:_LONGEST]))


def plain(value: object) -> str:
    """Without a format."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case datetime():
            is_day = (value.hour, value.minute, value.second) == (0, 0, 0)
            return value.date().isoformat() if is_day else value.isoformat(" ", "seconds")
    return " ".join(str(value).split())


def _parts(code: str) -> list[list[re.Match[str]]]:
    parts: list[list[re.Match[str]]] = [[]]
    for match in _TOKEN.finditer(code):
        if match["other"] == ";":
            parts.append([])
        else:
            parts[-1].append(match)
    return parts


def _section(matches: Sequence[re.Match[str]]) -> _Section:
    tokens: list[_Token] = []
    condition, is_foreign = None, False
    for match in matches:
        kind = match.lastgroup or "fill"
        text = " " if kind == "room" else match[kind] if match.lastgroup else ""
        if kind == "bracket":
            if limit := _CONDITION.match(text):
                condition = (limit["sign"], float(limit["limit"]))
            elif currency := _CURRENCY.match(text):
                is_foreign |= not _ENGLISH.match(currency["locale"] or "")
                tokens.append(_Token("text", currency["symbol"]))
            elif text.lower() in _ELAPSED:
                tokens.append(_Token("elapsed", text.lower()))
        elif kind in ("date", "ampm"):
            tokens.append(_Token(kind, text.lower()))
        elif kind in ("general", "exponent", "digit"):
            tokens.append(_Token(kind, text))
        else:
            mark = {"%": "percent", "/": "slash", "@": "general"}.get(text, "text")
            tokens.append(_Token(mark if kind == "other" else "text", text))
    kinds = [token.kind for token in tokens]
    return _Section(
        tokens=tuple(tokens),
        kinds=frozenset(kinds),
        digits=tuple(token.text for token in tokens if token.kind == "digit"),
        percents=kinds.count("percent"),
        condition=condition,
        is_foreign=is_foreign,
    )


def _chosen(sections: Sequence[_Section], value: float) -> tuple[_Section | None, bool]:
    """The section of a number, and whether it stands with its own sign."""
    numeric = sections[:3]
    if any(section.condition for section in numeric):
        for section in numeric:
            if section.condition is None or _holds(section.condition, value):
                return section, True
        return None, True
    if len(numeric) == 3 and value == 0:
        return numeric[2], False
    if len(numeric) > 1 and value < 0:
        return numeric[1], False
    return numeric[0], True


def _holds(condition: tuple[str, float], value: float) -> bool:
    sign, limit = condition
    return bool(_BY_SIGN[sign](value, limit))


def _number(section: _Section, value: float) -> str:
    pattern = "".join(section.digits)
    value *= 100**section.percents
    if section.has("slash") and pattern:
        return " ".join(_fraction(section, value).split())
    whole, _, decimals = pattern.partition(".")
    scale = len(pattern) - len(pattern.rstrip(","))
    if len(section.digits) > 1 and set(pattern) <= {"0", "#"} and not section.has("exponent"):
        return _in_groups(section, f"{_rounded(value, 0):0{len(pattern)}.0f}", len(pattern))
    text = ""
    if set(pattern) - {"?", "#"} or value:
        value /= 1000**scale
        most = sum(mark in "0#?" for mark in decimals)
        if section.has("exponent"):
            text = _scientific(value, section)
        else:
            grouping = "," if "," in whole.rstrip(",") else ""
            text = f"{_rounded(value, most):{grouping}.{most}f}"
            least = sum(mark in "0?" for mark in decimals)
            if most > least and "." in text:
                whole_part = text[: len(text) - most + least]
                text = (whole_part + text[len(whole_part) :].rstrip("0")).rstrip(".")
            text = _padded(text, whole.count("0"))
    pieces, is_written = [], False
    for token in section.tokens:
        if token.kind in ("digit", "exponent"):
            pieces.append("" if is_written else text)
            is_written = True
        else:
            pieces.append(token.text)
    return " ".join("".join(pieces).split())


def _rounded(value: float, decimals: int) -> Decimal:
    """Half up, of the fifteen digits that Excel knows: 2.675 is 2.68."""
    exact = Decimal(f"{value:.15g}")
    return exact.quantize(Decimal(1).scaleb(-min(decimals, 15)), ROUND_HALF_UP)


def _in_groups(section: _Section, digits: str, count: int) -> str:
    """As numbers of telephones and accounts are written."""
    pieces, at = [], 0
    for token in section.tokens:
        if token.kind == "digit":
            end = at + len(token.text) + (0 if at else len(digits) - count)
            pieces.append(digits[at:end])
            at = end
        else:
            pieces.append(token.text)
    return " ".join("".join(pieces).split())


def _padded(text: str, digits: int) -> str:
    whole, point, decimals = text.partition(".")
    if not digits and whole == "0" and point:
        whole = ""
    return f"{whole.rjust(digits, '0')}{point}{decimals}"


def _scientific(value: float, section: _Section) -> str:
    kinds = [token.kind for token in section.tokens]
    at = kinds.index("exponent")
    mantissa = "".join(token.text for token in section.tokens[:at] if token.kind == "digit")
    power = "".join(token.text for token in section.tokens[at:] if token.kind == "digit")
    decimals = len(mantissa.partition(".")[2])
    number, _, exponent = f"{value:.{decimals}E}".partition("E")
    sign = exponent[0] if exponent[0] == "-" or section.tokens[at].text[1] == "+" else ""
    return f"{number}E{sign}{exponent[1:].lstrip('0').rjust(len(power), '0')}"


def _fraction(section: _Section, value: float) -> str:
    kinds = [token.kind for token in section.tokens]
    digits = section.tokens[kinds.index("slash") + 1 :]
    bottom = next((each.text for each in digits if each.kind == "digit"), "?")
    has_whole = sum(kind == "digit" for kind in kinds[: kinds.index("slash")]) > 1
    part = Fraction(value).limit_denominator(10 ** min(len(bottom), 4) - 1)
    whole, rest = divmod(part.numerator, part.denominator) if has_whole else (0, part.numerator)
    upper = f"{rest}/{part.denominator}" if rest or not has_whole else ""
    return f"{whole if whole or not rest else ''} {upper}"


def _moment(section: _Section, value: Value) -> str:
    moment, total = _as_moment(value)
    has_noon = section.has("ampm")
    dated = [token for token in section.tokens if token.kind in ("date", "elapsed")]
    pieces: list[str] = []
    seen = -1
    for token in section.tokens:
        if token.kind in ("date", "elapsed"):
            seen += 1
        if token.kind == "elapsed":
            pieces.append(_elapsed(total, token.text))
        elif token.kind == "ampm":
            pieces.append(("AM" if moment.hour < 12 else "PM")[: 2 if "m" in token.text else 1])
        elif token.kind == "date":
            before = dated[seen - 1].text if seen else ""
            after = dated[seen + 1].text if seen + 1 < len(dated) else ""
            is_minute = token.text in ("m", "mm") and (before[:1] == "h" or after[:1] == "s")
            pieces.append(_minute(moment, token) if is_minute else _part(moment, token, has_noon))
        else:
            pieces.append(token.text)
    return " ".join("".join(pieces).split())


def _as_moment(value: Value) -> tuple[datetime, timedelta]:
    match value:
        case datetime():
            return value, value - _DAY_ZERO
        case date():
            moment = datetime.combine(value, time())
            return moment, moment - _DAY_ZERO
        case time():
            moment = datetime.combine(_DAY_ZERO, value)
            return moment, moment - _DAY_ZERO
        case timedelta():
            return _DAY_ZERO + value, value
    raise TypeError(type(value))


def _elapsed(total: timedelta, unit: str) -> str:
    seconds = total.total_seconds()
    count = int(seconds // {"h": 3600, "m": 60, "s": 1}[unit[0]])
    return str(count).rjust(len(unit), "0")


def _minute(moment: datetime, token: _Token) -> str:
    return str(moment.minute).rjust(len(token.text), "0")


def _part(moment: datetime, token: _Token, has_noon: bool) -> str:
    unit, width = token.text[0], len(token.text)
    match unit:
        case "y":
            return f"{moment.year:04}" if width > 2 else f"{moment.year % 100:02}"
        case "m" if width > 2:
            return moment.strftime("%b" if width == 3 else "%B")[: 1 if width == 5 else None]
        case "m":
            return str(moment.month).rjust(width, "0")
        case "d" if width > 2:
            return moment.strftime("%a" if width == 3 else "%A")
        case "d":
            return str(moment.day).rjust(width, "0")
        case "h":
            hour = (moment.hour % 12 or 12) if has_noon else moment.hour
            return str(hour).rjust(width, "0")
    whole, point, decimals = token.text.partition(".")
    part = f"{moment.microsecond:06}"[: len(decimals)]
    return str(moment.second).rjust(len(whole), "0") + point + part
