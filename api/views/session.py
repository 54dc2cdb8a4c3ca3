"""The page's login."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.dependencies import MaybeViewerDep, NoParameters, ServicesDep
from api.errors import Problem
from api.openapi import refusals
from api.responses import JsonResponse
from api.schemas import SessionState
from api.security import COOKIE_NAME

router = APIRouter(prefix="/v1", tags=["session"])


class Login(BaseModel):
    """Proof of who asks."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=1000, description="the bearer token of this installation")


@router.get("/session", response_model=SessionState, responses=refusals(400), summary="Who asks")
async def read_session(
    _query: Annotated[NoParameters, Query()], viewer: MaybeViewerDep, services: ServicesDep
) -> JsonResponse:
    """The role of who asks, null when not logged in; and whether all this is open to everybody on its machine."""
    answer: SessionState = {"role": viewer.role if viewer else None, "open": services.settings.open_viewer}
    return JsonResponse(answer)


@router.post("/session", status_code=204, responses=refusals(400, 401, 413, 429), summary="Log in")
async def log_in(
    login: Login, _query: Annotated[NoParameters, Query()], request: Request, services: ServicesDep
) -> Response:
    """Set a cookie that stands for the token: HttpOnly, SameSite=Strict, and Secure where the page came by https."""
    address = request.client.host if request.client else "unknown"
    wait_s = services.brake.wait_s(address)
    if wait_s > 0:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too many failed logins from this address; wait",
            headers={"Retry-After": str(int(wait_s) + 1)},
        )
    if not services.guard.knows(login.token):
        services.brake.failed(address)
        services.metrics.login_failures.inc()
        raise Problem(HTTPStatus.UNAUTHORIZED, "this is not the token", headers={"WWW-Authenticate": "Bearer"})
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        COOKIE_NAME,
        services.guard.new_session(),
        max_age=services.guard.session_s,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete("/session", status_code=204, responses=refusals(400), summary="Log out")
async def log_out(_query: Annotated[NoParameters, Query()], request: Request) -> Response:
    """Take the cookie back."""
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.delete_cookie(
        COOKIE_NAME, path="/", secure=request.url.scheme == "https", httponly=True, samesite="strict"
    )
    return response
