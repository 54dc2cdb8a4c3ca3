"""What a browser gets: the page at `/` and the readable description of the API at `/docs`."""

from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.errors import not_found
from api.pages import Page, make_page, read_pages

DASHBOARD_FOLDER = files("api") / "dashboard" / "dist"
_DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Thu Bon API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>
</head>
<body><main id="docs"></main></body>
</html>
"""
_DOCS_START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#docs", deepLinking: true, defaultModelsExpandDepth: 0, validatorUrl: null,
});
"""


def read_docs_pages() -> dict[str, Page]:
    """The reader of the API's description: Swagger UI as its package carries it, started by a script of ours.

    Nothing comes from another host, and no script stands inside the page, so the strict content security policy holds.
    """
    resources = files("fastapi_swagger") / "resources"
    return {
        "": make_page("index.html", _DOCS_PAGE.encode()),
        "start.js": make_page("start.js", _DOCS_START.encode()),
    } | {name: make_page(name, (resources / name).read_bytes()) for name in ("swagger-ui-bundle.js", "swagger-ui.css")}


def make_site_router() -> APIRouter:
    """Routes of the page and the docs; files are read now and kept."""
    router = APIRouter(include_in_schema=False)
    docs, dashboard = read_docs_pages(), read_pages(DASHBOARD_FOLDER)

    @router.get("/docs")
    async def read_docs(request: Request) -> Response:
        return docs[""].response(request)

    @router.get("/docs/{name}")
    async def read_docs_file(name: str, request: Request) -> Response:
        if name not in docs:
            raise not_found("file", name)
        return docs[name].response(request)

    @router.get("/{name:path}")
    async def read_page(name: str, request: Request) -> Response:
        page = dashboard.get(name or "index.html")
        if page is None:
            raise not_found("page", f"/{name}")
        return page.response(request)

    return router
