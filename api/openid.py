"""A city's own provider (OpenID Connect): log in there, and believe the tokens it signs.

Code flow with PKCE, state and nonce (RFC 6749, RFC 7636, OpenID Connect Core 1.0); keys by discovery, fetched again
when a token bears one that is not known, and not more often than once in `KEYS_PAUSE_S`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

from api.grants import Grants, Person, Role
from api.principals import NotBelievedError, openid_actor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.settings import ApiSettings

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures believed: those of a key pair. `none`, and HMAC with a key everybody can read, are not among them."""
LEEWAY_S: Final = 30
DISCOVERY_KEPT_S: Final = 3600.0
KEYS_PAUSE_S: Final = 10.0
_TIMEOUT_S: Final = 10.0
_ANSWER_BYTES_MAX: Final = 1_048_576


class ProviderAwayError(Exception):
    """The provider does not answer as a provider does."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who the provider says somebody is."""

    subject: str
    name: str
    grants: Grants
    expires_s: float


class OpenId:
    """The provider that the settings name.

    Args:
        settings: checked settings with an issuer.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._issuer = (settings.openid_issuer or "").rstrip("/")
        self._client_id = settings.openid_client_id or ""
        secret = settings.openid_client_secret
        self._client_secret = secret.get_secret_value() if secret else None
        self._audience = settings.openid_audience
        self._groups_claim = settings.openid_groups_claim.split(".")
        self._grants_by_group = {
            group: {town: Role.named(role) for town, role in grants.items()}
            for group, grants in settings.openid_grants.items()
        }
        self._redirect_url = settings.openid_redirect_url or ""
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)
        self._lock = asyncio.Lock()
        self._discovered: tuple[float, dict[str, Any]] | None = None
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._keys_read_s = float("-inf")

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._client.aclose()

    async def login_address(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser that wants to log in.

        Raises:
            ProviderAwayError: the provider cannot be asked.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        address = (await self._discovery())["authorization_endpoint"]
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": self._redirect_url,
                "scope": "openid profile email",
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        return f"{address}{'&' if urlsplit(address).query else '?'}{query}"

    async def claims_of(self, code: str, nonce: str, verifier: str) -> Claims:
        """Who logged in, by the code that came back.

        Raises:
            NotBelievedError: the provider takes the code back, or its token is not what was asked for.
            ProviderAwayError: the provider cannot be asked.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_url,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        if self._client_secret is not None:
            form["client_secret"] = self._client_secret
        answer = await self._fetch("POST", (await self._discovery())["token_endpoint"], form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise NotBelievedError("the provider gave no id_token for the code")
        claims = await self._verified(token, self._client_id)
        if claims.get("nonce") != nonce:
            raise NotBelievedError("the id_token bears another nonce: it was made for another login")
        return self._claims(claims)

    async def person_of(self, token: str, proof: bytes) -> Person:
        """Who an access token of the provider speaks for.

        Raises:
            NotBelievedError: it is expired, forged, for another audience, or access tokens are not taken.
        """
        if self._audience is None:
            raise NotBelievedError("tokens of the provider are not taken: THUBON_OPENID_AUDIENCE is not set")
        try:
            claims = self._claims(await self._verified(token, self._audience))
        except ProviderAwayError as error:
            raise NotBelievedError(f"the token cannot be checked: {error}") from None
        return Person(openid_actor(claims.subject, claims.name), "openid", claims.grants, claims.expires_s, proof=proof)

    async def _verified(self, token: str, audience: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise NotBelievedError(f"signed by {str(header.get('alg'))[:20]!r}, which is not believed")
            key = await self._key(header.get("kid"))
            return jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=audience,
                issuer=(await self._discovery())["issuer"],
                leeway=LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise NotBelievedError("the token has expired", expired=True) from None
        except jwt.PyJWTError as error:
            raise NotBelievedError(f"the token is not valid: {type(error).__name__}") from None
        except (TypeError, ValueError) as error:
            raise NotBelievedError(f"the token cannot be read: {type(error).__name__}") from None

    async def _key(self, key_id: str | None) -> jwt.PyJWK:
        """The key of an id, fetched again where it is not known: providers change their keys.

        Raises:
            NotBelievedError: the provider has no such key.
        """
        if key_id not in self._keys:
            async with self._lock:
                if key_id not in self._keys and time.monotonic() - self._keys_read_s >= KEYS_PAUSE_S:
                    answer = await self._fetch("GET", (await self._discovery())["jwks_uri"])
                    self._keys_read_s = time.monotonic()
                    self._keys = _usable(answer)
        try:
            return self._keys[key_id]
        except KeyError:
            raise NotBelievedError("signed by a key that the provider does not have") from None

    async def _discovery(self) -> dict[str, Any]:
        if self._discovered is None or time.monotonic() - self._discovered[0] > DISCOVERY_KEPT_S:
            found = await self._fetch("GET", f"{self._issuer}/.well-known/openid-configuration")
            wanted = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(isinstance(found.get(name), str) for name in wanted):
                raise ProviderAwayError("the provider's description lacks something")
            if found["issuer"].rstrip("/") != self._issuer:
                raise ProviderAwayError("the provider says it is another issuer")
            # Keys that the provider took back are forgotten with the description.
            self._keys, self._keys_read_s = {}, float("-inf")
            self._discovered = (time.monotonic(), found)
        return self._discovered[1]

    async def _fetch(self, method: str, address: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            response = await self._client.request(method, address, data=form)
            if form is not None and response.status_code in {400, 401}:
                raise NotBelievedError(f"the provider refuses the code with status {response.status_code}")
            response.raise_for_status()
            if len(response.content) > _ANSWER_BYTES_MAX:
                raise ProviderAwayError("the provider's answer is too long")
            answer = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ProviderAwayError(f"the provider cannot be asked: {type(error).__name__}") from None
        if not isinstance(answer, dict):
            raise ProviderAwayError("the provider's answer is no object")
        return answer

    def _claims(self, claims: Mapping[str, Any]) -> Claims:
        subject = str(claims["sub"])
        name = next((str(claims[c]) for c in ("preferred_username", "email") if claims.get(c)), subject)
        return Claims(subject, name[:100], self._grants(claims), float(claims["exp"]))

    def _grants(self, claims: Mapping[str, Any]) -> Grants:
        """What the groups of somebody are granted; of several roles in a town the highest."""
        value: Any = claims
        for part in self._groups_claim:
            value = value.get(part) if isinstance(value, dict) else None
        groups = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        grants: Grants = {}
        for group in groups:
            for town, role in self._grants_by_group.get(str(group), {}).items():
                grants[town] = max(role, grants.get(town, role))
        return grants


def _usable(key_set: Mapping[str, Any]) -> dict[str | None, jwt.PyJWK]:
    """Keys for signatures by id; those of kinds we do not know are passed over."""
    keys: dict[str | None, jwt.PyJWK] = {}
    listed = key_set.get("keys")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct":
            continue
        try:
            keys[entry.get("kid")] = jwt.PyJWK.from_dict(entry)
        except jwt.PyJWTError:
            continue
    return keys
