"""No web page reaches an engine of this machine (ADR 0012): a browser runs anybody's code.

A page elsewhere sends an Origin or Sec-Fetch-Site; a page whose name was made to point at this
machine (DNS rebinding) sends that name as Host.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gyre_common.settings import is_loopback


def web_page_problem(headers: Mapping[str, str]) -> str:
    """Why a request may come from a web page; empty for tools, which send none of a browser's
    marks, and a typed address.
    """
    if not _is_this_machine(headers.get("Host", "")):
        return "the Host header does not name this machine"
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        return "requests of web pages are not served"
    return ""


def _is_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
