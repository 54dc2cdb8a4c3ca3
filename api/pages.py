"""Files the browser gets: the built page and the reader of the API's description. Read once, kept in memory."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from fastapi import Request

_MEDIA_TYPES: Final[dict[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".geojson": "application/geo+json",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY: Final = frozenset({".png", ".woff2"})
_HASHED_NAME: Final = re.compile(r"[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
"""The bundler writes a hash of the content into these names, so they never change."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file, ready to send."""

    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str
    cache_control: str

    def response(self, request: Request) -> Response:
        """The file, compressed where the client reads that, or 304 where it has it already."""
        headers = {"Cache-Control": self.cache_control, "ETag": self.etag, "Vary": "Accept-Encoding"}
        if self.etag in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        if self.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, media_type=self.media_type, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def make_page(name: str, content: bytes) -> Page:
    """A file by its name, whose ending tells the media type."""
    ending = PurePosixPath(name).suffix
    compressed = None if ending in _COMPRESSED_ALREADY else gzip.compress(content, 9, mtime=0)
    hashed = name.startswith("assets/") and _HASHED_NAME.search(name)
    return Page(
        content=content,
        compressed=compressed if compressed is not None and len(compressed) < len(content) else None,
        media_type=_MEDIA_TYPES.get(ending, "application/octet-stream"),
        etag=f'W/"{hashlib.sha256(content).hexdigest()[:20]}"',
        cache_control="public, max-age=31536000, immutable" if hashed else "no-cache",
    )


def read_pages(folder: Traversable) -> dict[str, Page]:
    """All files below a folder by their path in it; none when there is no such folder.

    Only what was read here is ever served, so no path a client sends can lead elsewhere.
    """
    return {name: make_page(name, content) for name, content in _read_files(folder, "")}


def _read_files(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    if not folder.is_dir():
        return []
    files: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            files += _read_files(entry, f"{name}/")
        elif not entry.name.startswith("."):
            files.append((name, entry.read_bytes()))
    return files
