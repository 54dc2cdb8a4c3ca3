"""A small OpenID provider of our own, over HTTP on loopback: discovery, keys, code flow with PKCE, access tokens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 starlette reads the annotation
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.containers import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENT, SECRET, AUDIENCE = "thubon", "a-secret-of-the-client", "https://thubon.example/api"


@dataclass
class Provider:
    """What it knows; tests change it as they like."""

    issuer: str
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1234", "preferred_username": "binh", "groups": []})
    nonce: str | None = None  # instead of the one asked for
    keys: dict[str, Any] = field(default_factory=dict)
    current: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked_for_keys: int = 0

    def rotate(self, *, elliptic: bool = False) -> None:
        """Sign with a new key from now on, and no longer tell the old ones."""
        self.current = secrets.token_hex(4)
        made = ec.generate_private_key(ec.SECP256R1()) if elliptic else rsa.generate_private_key(65537, 2048)
        self.keys = {self.current: made}

    def token(self, *, key: Any = None, kid: str | None = None, algorithm: str | None = None, **changes: Any) -> str:
        """A signed token with the present claims; a claim of None is left out."""
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 300, **self.claims, **changes}
        key = key if key is not None else self.keys[self.current]
        usual = "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "RS256"
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm=algorithm or usual,
            headers={"kid": kid or self.current},
        )

    async def discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def tell_keys(self, _request: Request) -> Response:
        self.asked_for_keys += 1
        told = []
        for kid, key in self.keys.items():
            kind = (
                jwt.algorithms.ECAlgorithm
                if isinstance(key, ec.EllipticCurvePrivateKey)
                else jwt.algorithms.RSAAlgorithm
            )
            told.append(json.loads(kind.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"})
        return JSONResponse({"keys": told})

    async def authorize(self, request: Request) -> Response:
        """Everybody who comes is logged in at once."""
        query = dict(request.query_params)
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self.codes[code] = query
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}")

    async def exchange(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        query = self.codes.pop(form["code"], None)
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        )
        proved = form["client_id"] == CLIENT and form["client_secret"] == SECRET
        if (
            query is None
            or not proved
            or challenge != query["code_challenge"]
            or form["redirect_uri"] != query["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        nonce = self.nonce or query["nonce"]
        return JSONResponse({"token_type": "Bearer", "id_token": self.token(aud=CLIENT, nonce=nonce)})


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider that answers for the length of a block."""
    port = free_port()
    served = Provider(f"http://127.0.0.1:{port}")
    served.rotate()
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", served.discovery),
            Route("/keys", served.tell_keys),
            Route("/authorize", served.authorize),
            Route("/token", served.exchange, methods=["POST"]),
        ]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined,method-assign]
    task = asyncio.create_task(server.serve(), name="provider")
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    try:
        yield served
    finally:
        server.should_exit = True
        await task
