"""Numbers of cards, accounts, telephones and people: by check digits, and by the words around them
where those alone would not tell.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple, Protocol, cast

import phonenumbers
from stdnum import iban, luhn

from gyre_common.personal_data import PersonalData
from gyre_common.redaction.spans import Span, words_before

_NUMBER = re.compile(r"(?<![\w.,:/-])[+(]{0,2}\d(?:[ ().\-/\u00a0\u2011]{0,2}\d){5,24}(?![^\W_])")
_GROUP = re.compile(r"\d+")
_MOST_GROUPS = 12

_BRANDS = re.compile(
    r"4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11}(?:\d{2})?"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}|(?:2131|1800)\d{11}"  # JCB
    r"|6(?:011|4[4-9]\d|5\d{2})\d{12}(?:\d{3})?"  # Discover
    r"|62\d{14,17}"  # UnionPay
    r"|(?:50|5[6-9]|6\d)\d{12,17}",  # Maestro
    re.ASCII,
)
_CARD_WORDS = re.compile(
    r"\b(?:cards?|cc|credit|debit|visa|master ?card|maestro|amex|karte|kreditkarte|carte|tarjeta"
    r"|carta|cart[aã]o|kaart|kort)\b|卡|カード",
    re.IGNORECASE,
)
_CARD_LENGTHS = range(12, 20)
_SURE_CARD = range(14, 17)
"""Digits of which brand and check digit tell by themselves: longer numbers name records too."""

_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ \u00a0-]?[A-Z0-9]){11,40}(?!\w)", re.A | re.I)
_SHORTEST_IBAN = 15


def credit_cards(text: str) -> Iterator[Span]:
    """By check digit (ISO/IEC 7812) and brand, or a word for a card."""
    for match in _NUMBER.finditer(text):
        groups = [group.span() for group in _GROUP.finditer(text, *match.span())][:_MOST_GROUPS]
        for first, (start, _) in enumerate(groups):
            if span := _card(text, start, [end for _, end in groups[first:]]):
                yield span
                break


def _card(text: str, start: int, ends: list[int]) -> Span | None:
    for end in reversed(ends):
        digits = _digits(text[start:end])
        if len(digits) not in _CARD_LENGTHS or not luhn.is_valid(digits):
            continue
        is_sure = len(digits) in _SURE_CARD and _BRANDS.fullmatch(digits)
        if is_sure or _CARD_WORDS.search(words_before(text, start)):
            return Span(start, end, PersonalData.CREDIT_CARD)
    return None


def ibans(text: str) -> Iterator[Span]:
    """By country, length and check digits (ISO 13616)."""
    for match in _IBAN.finditer(text):
        value = match.group()
        while len(value) >= _SHORTEST_IBAN and not iban.is_valid(value, check_country=False):
            # What follows may be the next words.
            value = value[: max(0, *(value.rfind(mark) for mark in " \u00a0-"))]
        if len(value) >= _SHORTEST_IBAN:
            yield Span(match.start(), match.start() + len(value), PersonalData.IBAN_CODE)


_PHONE_WORDS = (
    r"(?:tele)?phones?|tel(?:e(?:fon[eo]?|f|foon))?|mobiles?|mobil|cell(?:ular[e]?|phone)?|handy"
    r"|fax|sms|whats ?app|signal|hotline|desk|office|landline|t[ée]l[ée](?:phone|fono)|m[óo]vil"
    r"|celular|telemóvel|puhelin|numéro|тел(?:ефон)?|моб|τηλ"
)
_PHONE_BEFORE = re.compile(
    rf"(?:\b(?:{_PHONE_WORDS}|call(?:ing|ed)?|dial|ring|phoning|answering at|messages? to"
    r"|registered|(?:call|text|ring|reach|contact|phone) (?:me|us|him|her|them|back|you|at|on))\b"
    r"|电话|電話|手机|전화|هاتف)"
    r"(?:[^\w\n]{0,3}\b(?:number|no|nr|num|is|at|on|me|us|to|home|work))?(?:\W|_){0,8}$",
    re.IGNORECASE,
)
_PHONE_AFTER = re.compile(
    r"[ \t]{0,2}[-–,(]{0,2}[ \t]{0,2}(?:office|fax|mobile|cell|phone|tel|home|work|desk)\b",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension|#) ?\d{1,6}(?!\w)", re.IGNORECASE)
_WITH_EXTENSION = re.compile(r"(?<![\w.,:/-])[+(]{0,2}\d(?:[ ().\-/\u00a0\u2011]{0,2}\d){5,17}")
_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}", re.ASCII)
_WITH_TRUNK_ZERO = re.compile(r"\(?0\d{1,4}\)?(?:[ /-]{1,2}\d{2,8}){1,5}", re.ASCII)
_LIKE_A_DATE = re.compile(
    r"(?:19|20)\d{2}([./ -])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:\d{2}|\d{4})", re.ASCII
)
_LIKE_AN_AMOUNT = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_FEWEST, _MOST = 6, 15
_HAVE_TRUNK_ZERO = ("GB", "DE", "FR", "AU", "ZA", "NL", "CH", "AT", "BE", "SE", "FI", "JP", "IN")


def phone_numbers(text: str) -> Iterator[Span]:
    """By a word for it before or behind, by country code, or by the way it is grouped."""
    for match in _WITH_EXTENSION.finditer(text):
        value, start, end = match.group(), *match.span()
        extension = _EXTENSION.match(text, end)
        if text[end : end + 1].isalnum() and not extension:
            continue
        digits = _digits(value)
        is_other = _LIKE_A_DATE.fullmatch(value) or _LIKE_AN_AMOUNT.fullmatch(value)
        is_of_length = _FEWEST <= len(digits) <= _MOST
        if is_of_length and not is_other and _is_phone(text, value, start, end):
            yield Span(start, extension.end() if extension else end, PersonalData.PHONE_NUMBER)


def _is_phone(text: str, value: str, start: int, end: int) -> bool:
    if _PHONE_BEFORE.search(words_before(text, start)):
        return True
    if value.lstrip("(").startswith(("+", "00")):
        return _is_valid_phone("+" + _digits(value).lstrip("0"), None)
    is_grouped = not value.isdecimal()
    if (is_grouped or len(_digits(value)) > 9) and _PHONE_AFTER.match(text, end):
        return True
    if _AMERICAN.fullmatch(value):
        return _is_valid_phone(value, "US")
    if _WITH_TRUNK_ZERO.fullmatch(value) and len(_digits(value)) > 8:
        return any(_is_valid_phone(value, country) for country in _HAVE_TRUNK_ZERO)
    return False


def _is_valid_phone(value: str, country: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, country))
    except phonenumbers.NumberParseException:
        return False


class _Check(Protocol):
    """What a module of stdnum offers."""

    def is_valid(self, number: str) -> bool:
        """Whether length, parts and check digits are right."""


class _National(NamedTuple):
    """Numbers of one shape. `checks` are modules of stdnum, any of which may hold; without one the
    shape tells.
    """

    shape: re.Pattern[str]
    checks: tuple[str, ...]


_BY_SHAPE = (
    _National(re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", re.ASCII), ("us.ssn",)),
    _National(
        re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?\d{2}){3} ?[A-D](?!\w)"), ()
    ),
    _National(re.compile(r"(?<!\w)(?:\d{8}|[XYZ]\d{7})-?[A-Z](?!\w)"), ("es.dni", "es.nie")),
    _National(
        re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z](?!\w)"), ("it.codicefiscale",)
    ),
    _National(re.compile(r"(?<!\w)\d{6}[-+A]\d{3}[0-9A-Y](?!\w)", re.ASCII), ("fi.hetu",)),
    _National(re.compile(r"(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)", re.ASCII), ("br.cpf",)),
    _National(
        re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)"), ("fr.nir",)
    ),
    _National(re.compile(r"(?<![\w.])756(?:\.\d{4}){2}\.\d{2}(?!\w)", re.ASCII), ("ch.ssn",)),
    _National(re.compile(r"(?<![\w.])\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?!\w)"), ("be.nn",)),
    _National(re.compile(r"(?<!\w)\d{17}[\dXx](?!\w)", re.ASCII), ("cn.ric",)),
    _National(re.compile(r"(?<![\w-])\d{6}-\d{7}(?![\w-])", re.ASCII), ("kr.rrn",)),
    _National(re.compile(r"(?<![\w-])\d{6}(?:\d{2})?[-+]\d{4}(?![\w-])"), ("se.personnummer",)),
    _National(re.compile(r"(?<![\w/])\d{6}/\d{3,4}(?![\w/])", re.ASCII), ("cz.rc",)),
    _National(
        re.compile(r"(?<![\w-])(?<!\d )\d{4}([ -])\d{4}\1\d{4}(?!\w|[ -]\d)"), ("in_.aadhaar",)
    ),
    _National(re.compile(r"(?<!\w)[A-Z]{5}\d{4}[A-Z](?!\w)", re.ASCII), ("in_.pan",)),
    _National(re.compile(r"(?<!\w)[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d(?!\w)"), ("mx.curp",)),
)
_BY_WORD = _National(
    re.compile(r"(?<![\w-])\d(?:[ .-]?\d){7,12}(?![\w-])", re.ASCII),
    (
        *("us.ssn", "gb.nhs", "ca.sin", "de.idnr", "pl.pesel", "nl.bsn", "dk.cpr", "bg.egn"),
        *("tr.tckimlik", "au.tfn", "pt.nif", "ro.cnp", "za.idnr", "il.idnr", "br.cpf"),
        *("no.fodselsnummer", "se.personnummer", "in_.aadhaar", "us.itin"),
    ),
)
_ID_WORDS = re.compile(
    r"(?:\b(?:ssn|itin|social security|nhs|sin|social insurance|national (?:id|insurance|identity)"
    r"|identity|id|tax(?:payer)?|steuer-?(?:id|nummer|identifikationsnummer)|tin|idnr|pesel|bsn"
    r"|burgerservicenummer|cpr|personnummer|fødselsnummer|egn|егн|kimlik|tckn|tfn|nif|cnp|cpf"
    r"|aadhaar)\b|身份证)(?:[^\w\n]{0,3}\b(?:number|no|nr|num|is|id|nummer)){0,2}(?:\W|_){0,6}$",
    re.IGNORECASE,
)


def national_ids(text: str) -> Iterator[Span]:
    """Numbers that a state gives to people: where the shape is rare by their check digits, else by
    a word for it too.
    """
    for shape, checks in _BY_SHAPE:
        for match in shape.finditer(text):
            if not checks or any(_check(name).is_valid(match.group()) for name in checks):
                yield Span(*match.span(), PersonalData.NATIONAL_ID)
    for match in _BY_WORD.shape.finditer(text):
        if not _ID_WORDS.search(words_before(text, match.start())):
            continue
        if any(_check(name).is_valid(match.group()) for name in _BY_WORD.checks):
            yield Span(*match.span(), PersonalData.NATIONAL_ID)


@cache
def _check(name: str) -> _Check:
    return cast("_Check", import_module(f"stdnum.{name}"))


def _digits(text: str) -> str:
    return "".join(str(int(each)) for each in text if each.isdecimal())
