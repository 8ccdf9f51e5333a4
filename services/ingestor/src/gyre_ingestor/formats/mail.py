"""Mails, as RFC 5322 messages and as Outlook's: head, body, and the names of what is attached."""

import io
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage, Message

from oxmsg import Message as OutlookMessage

from gyre_ingestor.formats.html import read_page
from gyre_ingestor.formats.outline import Outline, ParsedDocument
from gyre_ingestor.formats.plain import read_plain
from gyre_ingestor.text_decoding import decode

_HEAD = ("From", "To", "Cc", "Date")


def parse_mail(data: bytes, _: str | None) -> ParsedDocument:
    """The plain part, or the HTML part where there is none."""
    message = message_from_bytes(data, policy=policy.default)
    outline = Outline()
    subject = _header(message, "Subject")
    _read_head(outline, subject, {name: _header(message, name) for name in _HEAD})
    body = message.get_body(("plain", "html")) if isinstance(message, EmailMessage) else None
    if body is not None:
        payload = body.get_payload(decode=True)
        text = decode(payload if isinstance(payload, bytes) else b"", body.get_content_charset())
        if body.get_content_type() == "text/html":
            read_page(text, outline)
        else:
            read_plain(text, outline)
    attached = [part.get_filename() or "" for part in message.walk() if part.get_filename()]
    _read_attached(outline, attached)
    return outline.finish(subject)


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
    _read_head(outline, message.subject or "", head)
    if message.body:
        read_plain(message.body, outline)
    elif message.html_body:
        read_page(message.html_body, outline)
    _read_attached(outline, [each.file_name or "" for each in message.attachments])
    return outline.finish(message.subject or "")


def _read_head(outline: Outline, subject: str, head: Mapping[str, str]) -> None:
    outline.heading(1, subject)
    outline.paragraph("\n".join(f"{name}: {value}" for name, value in head.items() if value))


def _read_attached(outline: Outline, names: list[str]) -> None:
    if any(names):
        outline.paragraph(f"Attached: {', '.join(name for name in names if name)}")


def _header(message: Message, name: str) -> str:
    """Empty where it cannot be read, which is no reason to lose the mail."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, LookupError, IndexError, AttributeError):  # of the library's own parser
        return ""
