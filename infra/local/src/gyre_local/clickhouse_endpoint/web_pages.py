"""Web pages are not let in, whatever account they name: a browser runs anybody's code."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gyre_common.settings import is_loopback

from gyre_local.clickhouse_endpoint.errors import Code, EngineError


def refuse_web_pages(headers: Mapping[str, str]) -> None:
    """Pass tools, which send none of a browser's marks, and an address that a person types.

    A page elsewhere sends an Origin or Sec-Fetch-Site; a page whose name was made to point at this
    machine (DNS rebinding) sends that name as Host.

    Raises:
        EngineError: ACCESS_DENIED.
    """
    if not _is_this_machine(headers.get("Host", "")):
        raise _refusal("the Host header does not name this machine")
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        raise _refusal("requests of web pages are not served")


def _is_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _refusal(reason: str) -> EngineError:
    return EngineError.refusal(Code.ACCESS_DENIED, f"Not served: {reason}.")
