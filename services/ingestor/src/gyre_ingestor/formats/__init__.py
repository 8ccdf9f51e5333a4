"""Every format that documents may come in, and how its bytes become one parsed document."""

from gyre_ingestor.formats.archives import (
    compressed_members,
    is_compressed,
    parse_archive,
    tar_members,
    zip_members,
)
from gyre_ingestor.formats.format import (
    Format,
    members_with_library,
    of_records,
    of_text,
    with_library,
)
from gyre_ingestor.formats.html import charset_of_page, parse_html
from gyre_ingestor.formats.markdown import parse_markdown
from gyre_ingestor.formats.notebook import parse_notebook
from gyre_ingestor.formats.plain import parse_plain
from gyre_ingestor.formats.records import parse_csv, parse_json, parse_json_lines
from gyre_ingestor.formats.signatures import (
    holds_member,
    holds_stream,
    is_pdf,
    is_rtf,
    is_tar,
    is_zip,
    says_mimetype,
)
from gyre_ingestor.formats.source_code import LANGUAGES, parse_source_code

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

FORMATS = {
    "text/plain": Format(of_text(parse_plain), (".txt", ".text", ".rst", ".log")),
    "text/markdown": Format(
        of_text(parse_markdown), (".md", ".markdown"), ("text/x-markdown", "text/md")
    ),
    "text/html": Format(
        of_text(parse_html, charset_of_page),
        (".html", ".htm", ".xhtml"),
        ("application/xhtml+xml",),
    ),
    "application/pdf": Format(with_library("pdf", "parse_pdf"), (".pdf",), is_kind=is_pdf),
    f"{_OFFICE}.wordprocessingml.document": Format(
        with_library("docx", "parse_docx"),
        (".docx", ".docm", ".dotx"),
        is_kind=holds_member("word/document*.xml"),
    ),
    f"{_OFFICE}.presentationml.presentation": Format(
        with_library("pptx", "parse_pptx"),
        (".pptx", ".pptm", ".ppsx"),
        is_kind=holds_member("ppt/presentation.xml"),
    ),
    f"{_OFFICE}.spreadsheetml.sheet": Format(
        with_library("spreadsheet", "parse_spreadsheet"),
        (".xlsx", ".xlsm"),
        is_kind=holds_member("xl/workbook.xml"),
    ),
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": Format(
        with_library("spreadsheet", "parse_spreadsheet"),
        (".xlsb",),
        is_kind=holds_member("xl/workbook.bin"),
    ),
    "application/vnd.ms-excel": Format(
        with_library("spreadsheet", "parse_spreadsheet"),
        (".xls",),
        is_kind=holds_stream("Workbook", "Book"),
    ),
    f"{_OPEN_DOCUMENT}.text": Format(
        with_library("opendocument", "parse_opendocument_text"),
        (".odt",),
        is_kind=says_mimetype(f"{_OPEN_DOCUMENT}.text"),
    ),
    f"{_OPEN_DOCUMENT}.presentation": Format(
        with_library("opendocument", "parse_opendocument_slides"),
        (".odp",),
        is_kind=says_mimetype(f"{_OPEN_DOCUMENT}.presentation"),
    ),
    f"{_OPEN_DOCUMENT}.spreadsheet": Format(
        with_library("opendocument_sheets", "parse_opendocument_sheets"),
        (".ods",),
        is_kind=says_mimetype(f"{_OPEN_DOCUMENT}.spreadsheet"),
    ),
    "application/epub+zip": Format(
        with_library("epub", "parse_epub"),
        (".epub",),
        is_kind=says_mimetype("application/epub+zip"),
    ),
    "application/rtf": Format(
        with_library("rtf", "parse_rtf"), (".rtf",), ("text/rtf",), is_kind=is_rtf
    ),
    "application/vnd.ms-outlook": Format(
        with_library("mail", "parse_outlook_mail"),
        (".msg",),
        is_kind=holds_stream("__properties_version1.0"),
        members=members_with_library("mail", "outlook_attachments"),
    ),
    "message/rfc822": Format(
        with_library("mail", "parse_mail"),
        (".eml",),
        members=members_with_library("mail", "mail_attachments"),
    ),
    # Behind the formats that are zip packages with something particular in them.
    "application/zip": Format(
        parse_archive,
        (".zip",),
        ("application/x-zip-compressed",),
        is_kind=is_zip,
        members=zip_members,
        has_text=False,
    ),
    "application/x-tar": Format(
        parse_archive, (".tar",), is_kind=is_tar, members=tar_members, has_text=False
    ),
    "application/gzip": Format(
        parse_archive,
        (".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz"),
        ("application/x-gzip", "application/x-bzip2", "application/x-xz"),
        is_kind=is_compressed,
        members=compressed_members,
        has_text=False,
    ),
    "text/csv": Format(of_records(parse_csv), (".csv", ".tsv"), ("text/tab-separated-values",)),
    "application/json": Format(of_records(parse_json), (".json",), ("text/json",)),
    "application/jsonl": Format(
        of_records(parse_json_lines),
        (".jsonl", ".ndjson"),
        ("application/x-ndjson", "application/x-jsonlines", "application/json-lines"),
    ),
    "application/x-ipynb+json": Format(of_records(parse_notebook), (".ipynb",)),
    "application/xml": Format(
        with_library("xml", "parse_xml"),
        (".xml", ".rss", ".atom"),
        ("text/xml", "application/rss+xml", "application/atom+xml"),
    ),
    "text/x-source": Format(
        of_text(parse_source_code),
        tuple(ending for endings in LANGUAGES.values() for ending in endings),
        (
            "application/javascript",
            "text/javascript",
            "text/x-python",
            "application/yaml",
            "text/css",
        ),
    ),
}
"""By media type."""
