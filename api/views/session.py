"""Log in, who am I, log out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from api.access import MaybePersonDep, PersonDep, client_address, for_all
from api.accounts import PASSWORD_MAX
from api.dependencies import NoParameters, ServicesDep
from api.errors import Problem
from api.grants import grant_words
from api.openapi import refusals
from api.openid import ProviderAwayError
from api.people_schemas import SessionState
from api.principals import NotBelievedError, digest
from api.responses import JsonResponse
from api.security import COOKIE_NAME, csrf_token, give_cookie, new_secret, own_origin, take_cookie
from api.services import Services
from sql import load_queries

router = APIRouter(prefix="/v1", tags=["session"], dependencies=[for_all])
_QUERIES = load_queries("api_access")
STATE_COOKIE = "thubon_openid"
_STATE_PATH = "/v1/session/openid"


class Login(BaseModel):
    """Proof of who asks."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=63, description="name of the account", examples=["an.nguyen"])
    password: str = Field(min_length=1, max_length=PASSWORD_MAX, description="its password")


class OpenIdAnswer(BaseModel):
    """What the provider sends a browser back with."""

    model_config = ConfigDict(extra="ignore")

    state: str = Field(min_length=1, max_length=200, description="as it was sent to the provider")
    code: str | None = Field(default=None, max_length=4000, description="to be changed for a token")
    error: str | None = Field(default=None, max_length=200, description="why the provider let nobody in")


@router.get("/session", response_model=SessionState, responses=refusals(400, 401), summary="Who asks")
async def read_session(
    _query: Annotated[NoParameters, Query()], request: Request, person: MaybePersonDep, services: ServicesDep
) -> JsonResponse:
    """Who asks and what they were granted; names are null when not logged in. Tells a page the token of its changes."""
    cookie = request.cookies.get(COOKIE_NAME)
    answer: SessionState = {
        "role": person.highest.word if person and person.highest else None,
        "name": person.name if person else None,
        "grants": grant_words(person.grants) if person else {},
        "expires_time": None if person is None else person.expires_time,
        "csrf": csrf_token(cookie) if person and person.by_cookie and cookie else None,
        "open": services.settings.open_viewer,
        "openid": services.openid is not None,
    }
    return JsonResponse(answer)


@router.post("/session", status_code=204, responses=refusals(400, 401, 403, 413, 429, 503), summary="Log in")
async def log_in(
    login: Login, _query: Annotated[NoParameters, Query()], request: Request, services: ServicesDep
) -> Response:
    """Open a session and set its cookie: HttpOnly, SameSite=Strict, and Secure where the page came by https."""
    _refuse_other_sites(request)
    cookie = await services.logins.log_in(login.name, login.password, client_address(request))
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    give_cookie(response, request, cookie, services.logins.life_s)
    return response


@router.delete("/session", status_code=204, responses=refusals(400, 401, 403, 503), summary="Log out")
async def log_out(
    _query: Annotated[NoParameters, Query()], person: PersonDep, request: Request, services: ServicesDep
) -> Response:
    """End the session, here and on every service of this installation, and take its cookie back."""
    cookie = request.cookies.get(COOKIE_NAME)
    if person.by_cookie and cookie:
        await services.logins.end(cookie)
        services.principals.forget()
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    take_cookie(response, request)
    return response


@router.get(
    "/session/openid",
    status_code=303,
    response_class=Response,
    responses=refusals(400, 404, 429, 503),
    summary="Log in at the city's provider",
)
async def begin_openid(_query: Annotated[NoParameters, Query()], request: Request, services: ServicesDep) -> Response:
    """Send the browser to the OpenID provider; it comes back with a code."""
    if services.openid is None:
        raise Problem(HTTPStatus.NOT_FOUND, "this installation has no OpenID provider")
    wait_s = services.openid_logins.take(client_address(request))
    if wait_s > 0:
        detail = "too many logins begun from this address; wait"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(int(wait_s) + 1)})
    state, nonce, verifier = new_secret(), new_secret(), new_secret() + new_secret()
    try:
        address = await services.openid.login_address(state, nonce, verifier)
    except ProviderAwayError as error:
        raise _away(error) from None
    begun = await services.changes.row(
        _QUERIES["begin_openid"], {"state_hash": digest(state), "nonce": nonce, "verifier": verifier}
    )
    if begun is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many logins have begun; wait")
    response = RedirectResponse(address, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    # Lax: it has to come along when the provider sends the browser back.
    response.set_cookie(
        STATE_COOKIE, state, max_age=600, path=_STATE_PATH, secure=request.url.scheme == "https", httponly=True,
        samesite="lax",
    )  # fmt: skip
    return response


@router.get(
    "/session/openid/done",
    status_code=303,
    response_class=Response,
    responses=refusals(400, 401, 403, 404, 503),
    summary="Come back from the city's provider",
)
async def end_openid(answer: Annotated[OpenIdAnswer, Query()], request: Request, services: ServicesDep) -> Response:
    """Change the provider's code for a session and go to the page."""
    if services.openid is None:
        raise Problem(HTTPStatus.NOT_FOUND, "this installation has no OpenID provider")
    address = client_address(request)
    try:
        begun = await _begun(request, answer, services)
        claims = await services.openid.claims_of(answer.code or "", begun["nonce"], begun["verifier"])
    except NotBelievedError as refusal:
        services.audit.refused("-", address, "session.open", "openid", refusal.reason)
        raise Problem(HTTPStatus.UNAUTHORIZED, "this login failed; begin again at the page") from None
    except ProviderAwayError as error:
        raise _away(error) from None
    cookie, life_s = await services.logins.let_in(claims, address)
    response = RedirectResponse("/", HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
    response.delete_cookie(STATE_COOKIE, path=_STATE_PATH)
    give_cookie(response, request, cookie, life_s)
    return response


async def _begun(request: Request, answer: OpenIdAnswer, services: Services) -> DictRow:
    """What was kept of the login that a browser comes back from.

    Raises:
        NotBelievedError: this browser began no such login, or the provider let nobody in.
    """
    if digest(request.cookies.get(STATE_COOKIE, "")) != digest(answer.state):
        raise NotBelievedError("the state is not that of this browser: somebody else began this login")
    begun = await services.changes.row(_QUERIES["end_openid"], {"state_hash": digest(answer.state)})
    if begun is None or not begun["in_time"]:
        raise NotBelievedError("this login was never begun, was ended already or took too long")
    if answer.error or not answer.code:
        raise NotBelievedError(f"the provider let nobody in: {answer.error or 'no code'}")
    return begun


def _refuse_other_sites(request: Request) -> None:
    """A page of another site must not log a browser in, as somebody of its choice."""
    origin = request.headers.get("Origin")
    if origin is not None and origin != own_origin(request):
        raise Problem(HTTPStatus.FORBIDDEN, "the page of another site sent this login")


def _away(error: ProviderAwayError) -> Problem:
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}; try again", headers={"Retry-After": "10"})
