"""For machines: does it live, can it work, how is it doing."""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from api.dependencies import ServicesDep
from api.responses import JsonResponse
from api.schemas import Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", response_class=PlainTextResponse, summary="Does the process live")
async def healthz() -> PlainTextResponse:
    """Always `ok`: the process answers."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "A check is degraded"}},
    summary="Can it do its work",
)
async def readyz(services: ServicesDep) -> JsonResponse:
    """Each check with its detail: the database, room on its disk, and when ingest was last heard of."""
    readiness = await services.readiness.readiness()
    return JsonResponse(readiness, 200 if readiness["status"] == "ok" else 503)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="How it is doing",
    responses={200: {"description": "Prometheus text format", "content": {"text/plain": {}}}},
)
async def metrics(services: ServicesDep) -> Response:
    """Metrics about this service, in the text format of Prometheus."""
    await services.readiness.measure()
    return Response(
        services.metrics.exposition(),
        headers={"Content-Type": services.metrics.content_type, "Cache-Control": "no-store"},
    )
