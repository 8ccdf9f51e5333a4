"""What a browser keeps of who it is: sealed in a cookie, so that the gateway keeps nothing."""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request, Response

COOKIE = "gyre-session"
_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Session:
    """Who sits at a browser. `key` is empty where no keys are set."""

    key: str = ""
    actor: str = ""
    tenant: str = ""
    groups: tuple[str, ...] = ()


class SessionCookies:
    """Reads and writes the cookie. Without a `secret` sessions end with this process."""

    def __init__(self, secret: str) -> None:
        digest = hashlib.sha256((secret or secrets.token_urlsafe(32)).encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def read(self, request: Request) -> Session | None:
        """The browser's session; None where it has none, or one that is not ours or too old."""
        sealed = request.cookies.get(COOKIE, "")
        try:
            fields = json.loads(self._fernet.decrypt(sealed.encode(), ttl=_SECONDS))
        except (InvalidToken, ValueError):
            return None
        return Session(**{**fields, "groups": tuple(fields["groups"])})

    def write(self, request: Request, response: Response, session: Session) -> None:
        """Out of reach of scripts, and sent to this site alone."""
        sealed = self._fernet.encrypt(json.dumps(asdict(session)).encode()).decode()
        response.set_cookie(
            COOKIE,
            sealed,
            max_age=_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def clear(self, response: Response) -> None:
        """Sign out."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
