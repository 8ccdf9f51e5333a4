"""Mails, as RFC 5322 messages and as Outlook's: head, body, and what is attached."""

import io
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import MIMEPart

from oxmsg import Message as OutlookMessage

from gyre_ingestor.formats.format import Member
from gyre_ingestor.formats.html import read_page
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.plain import read_plain
from gyre_ingestor.text_decoding import decode

_HEAD = ("From", "To", "Cc", "Date")
_HTML = "text/html"
_UNNAMED = "attachment"
_DEEPEST = 6


def parse_mail(data: bytes, _: str | None) -> ParsedDocument:
    """All parts that are shown, in order: of alternatives the richest, mails that are passed on
    under headings of their own.
    """
    message = message_from_bytes(data, policy=policy.default)
    outline = Outline()
    _read_mail(message, outline, 1)
    return outline.finish(_header(message, "Subject"))


def parse_outlook_mail(data: bytes, _: str | None) -> ParsedDocument:
    """See `parse_mail`."""
    message = OutlookMessage.load(io.BytesIO(data))
    outline = Outline()
    to = (f"{each.name} <{each.email_address}>" for each in message.recipients)
    head = {
        "From": str(make_header(decode_header(message.sender or ""))),
        "To": ", ".join(each for each in to if each != " <>"),
        "Date": str(message.sent_date or ""),
    }
    _read_head(outline, 1, message.subject or "", head)
    if message.body:
        read_plain(message.body, outline)
    elif message.html_body:
        read_page(message.html_body, outline, is_mail=True)
    _read_attached(outline, [each.file_name or "" for each in message.attachments])
    return outline.finish(message.subject or "")


def mail_attachments(data: bytes, _: str) -> Iterator[Member]:
    """Also those of mails that it passes on."""
    for part in message_from_bytes(data, policy=policy.default).walk():
        if _is_attached(part) and not part.is_multipart():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield part.get_filename() or _UNNAMED, io.BytesIO(payload)


def outlook_attachments(data: bytes, _: str) -> Iterator[Member]:
    """See `mail_attachments`."""
    for one in OutlookMessage.load(io.BytesIO(data)).attachments:
        if one.file_bytes:
            yield one.file_name or _UNNAMED, io.BytesIO(one.file_bytes)


def _is_attached(part: MIMEPart) -> bool:
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _read_mail(message: MIMEPart, outline: Outline, level: int) -> None:
    head = {name: _header(message, name) for name in _HEAD}
    _read_head(outline, level, _header(message, "Subject"), head)
    attached: list[str] = []
    _read_part(message, outline, level, attached)
    _read_attached(outline, attached)


def _read_part(part: MIMEPart, outline: Outline, level: int, attached: list[str]) -> None:
    kind = part.get_content_type()
    if kind == "message/rfc822" and level < _DEEPEST:
        for passed_on in part.iter_parts():
            _read_mail(passed_on, outline, level + 1)
    elif _is_attached(part):
        attached.append(part.get_filename() or "")
    elif kind == "multipart/alternative":
        body = part.get_body(("related", "html", "plain"))
        if body is not None:
            _read_part(body, outline, level, attached)
    elif part.is_multipart():
        for inner in part.iter_parts():
            _read_part(inner, outline, level, attached)
    elif part.get_content_maintype() == "text":
        payload = part.get_payload(decode=True)
        text = decode(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
        if kind == _HTML:
            read_page(text, outline, is_mail=True)
        else:
            read_plain(text, outline)


def _read_head(outline: Outline, level: int, subject: str, head: Mapping[str, str]) -> None:
    outline.heading(level, subject)
    outline.paragraph("\n".join(f"{name}: {value}" for name, value in head.items() if value))


def _read_attached(outline: Outline, names: list[str]) -> None:
    if any(names):
        outline.paragraph(f"Attached: {', '.join(filter(None, names))}")


def _header(message: MIMEPart, name: str) -> str:
    """Empty where it cannot be read, which is no reason to lose the mail."""
    raw = next((value for key, value in message.raw_items() if key.lower() == name.lower()), "")
    try:
        if not str(raw).isascii():  # bytes that no encoding was declared for
            return " ".join(decode(str(raw).encode("utf-8", "surrogateescape")).split())
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, LookupError, IndexError, AttributeError):  # of the library's own parser
        return ""
