"""The page's cookie, and what a page must show beside it to change something."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.responses import Response

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "X-CSRF-Token"
COOKIE_NAME: Final = "thubon_session"
_CSRF_PURPOSE: Final = b"thubon csrf, version 1"


def new_secret() -> str:
    """256 random bits, for a cookie or a key."""
    return secrets.token_urlsafe(32)


def csrf_token(cookie: str) -> str:
    """What a page that holds this cookie must send with a change; a page of another site cannot read it."""
    return hmac.digest(cookie.encode("utf-8", "surrogatepass"), _CSRF_PURPOSE, hashlib.sha256).hex()


def needs_csrf_token(request: Request) -> str | None:
    """Why a change that came with a cookie is not believed; None: it is.

    Two proofs, both needed: the page knows the token, and where the browser says which page sent it, it is ours.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin != own_origin(request):
        return f"the page of another site sent it: Origin {origin[:200]!r}"
    cookie = request.cookies.get(COOKIE_NAME, "")
    shown = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), csrf_token(cookie).encode()):
        return "no X-CSRF-Token, or a wrong one"
    return None


def own_origin(request: Request) -> str:
    """Scheme and host under which the client reached us."""
    return f"{request.url.scheme}://{request.headers.get('Host', '')}"


def give_cookie(response: Response, request: Request, value: str, life_s: int) -> None:
    """Set the session's cookie: no script reads it, no other site sends it, and only https where the page came so."""
    response.set_cookie(
        COOKIE_NAME,
        value,
        max_age=life_s,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def take_cookie(response: Response, request: Request) -> None:
    """Have the browser forget the session's cookie."""
    response.delete_cookie(
        COOKIE_NAME, path="/", secure=request.url.scheme == "https", httponly=True, samesite="strict"
    )
