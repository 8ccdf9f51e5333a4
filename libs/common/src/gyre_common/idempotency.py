"""One idempotency key is one request: what is told of it, and what is refused."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping

from gyre_common.errors import InvalidInput

MOST_KEYS = 50_000
"""Keys that a process remembers, in some 10 MB."""


def fingerprint_of(request: Mapping[str, object]) -> str:
    """The same for the same fields of a request, whose values are what JSON has, or text of it."""
    text = json.dumps(request, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


class UsedKeys:
    """The keys that came last, each with its request. It is of one process and starts empty: ids
    are made of key and request, so that what another one lets pass is not taken for the first.
    """

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        self._requests: OrderedDict[bytes, str] = OrderedDict()

    def check(self, key: str, *scope: str, fingerprint: str) -> None:
        """Remember what the key came with, for as long as there is room; an empty one is none.
        Within `scope` it means one thing. Raises InvalidInput: it came with another request.
        """
        if not key:
            return
        name = hashlib.blake2b("\n".join((*scope, key)).encode(), digest_size=16).digest()
        if self._requests.setdefault(name, fingerprint) != fingerprint:
            raise InvalidInput(
                "idempotency_key",
                "was sent before with another request",
                "make a new one for each request, and repeat it only with the same",
            )
        self._requests.move_to_end(name)
        if len(self._requests) > self._most:
            self._requests.popitem(last=False)
