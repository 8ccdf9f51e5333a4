"""E-mail, web, IP and MAC addresses: their shape tells."""

import ipaddress
import re
from collections.abc import Iterator

from gyre_common.personal_data import PersonalData
from gyre_common.redaction.spans import Span

_EMAIL = re.compile(r"(?<![\w.+%'-])[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_URL = re.compile(r"(?<!\w)(?:(?:https?|ftp)://|www\.)[^\s<>\"'`|\\^{}\[\]]{2,2048}", re.IGNORECASE)
_IP_V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d|/\d{1,2}(?![\w/]))", re.ASCII)
_IP_V6 = re.compile(r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
_MAC = re.compile(
    r"(?<![\w:-])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:-])"
    r"|(?<![\w:-])[0-9a-f]{2}(?:-[0-9a-f]{2}){5}(?![\w:-])",
    re.IGNORECASE,
)
_NOBODYS = "git@"
_AFTER_A_SENTENCE = ".,;:!?)'*_"
_IS_A_VERSION = re.compile(r"(?:version|release|\bv)\W{0,2}$", re.IGNORECASE)


def email_addresses(text: str) -> Iterator[Span]:
    """`ann@example.com`; the last part of a host has two letters or more, and `git` is nobody."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            value = match.group().rstrip("-'")
            top = value.rpartition(".")[2]
            if len(top) > 1 and not top.isdecimal() and not value.startswith(_NOBODYS):
                quotes = len(value) - len(value.lstrip("'"))
                start = match.start() + quotes
                yield Span(start, match.start() + len(value), PersonalData.EMAIL_ADDRESS)


def urls(text: str) -> Iterator[Span]:
    """`https://…`, `www.…`, without the sentence's own full stop."""
    for match in _URL.finditer(text):
        end = match.start() + len(match.group().rstrip(_AFTER_A_SENTENCE))
        yield Span(match.start(), end, PersonalData.URL)


def ip_addresses(text: str) -> Iterator[Span]:
    """Those that the whole internet can tell apart: `10.0.0.1` is nobody's."""
    for pattern in (_IP_V4, _IP_V6):
        for match in pattern.finditer(text):
            try:
                is_global = ipaddress.ip_address(match.group()).is_global
            except ValueError:
                continue
            before = text[max(0, match.start() - 12) : match.start()]
            # Without a digit it is rather a name within a name: `fe::Add`.
            has_digit = any(each.isdecimal() for each in match.group())
            if is_global and has_digit and not _IS_A_VERSION.search(before):
                yield Span(*match.span(), PersonalData.IP_ADDRESS)


def mac_addresses(text: str) -> Iterator[Span]:
    """`00:1a:2b:3c:4d:5e`, but for those that name no device."""
    for match in _MAC.finditer(text):
        if len(set(match.group().lower()) - set(":-")) > 1:
            yield Span(*match.span(), PersonalData.MAC_ADDRESS)
