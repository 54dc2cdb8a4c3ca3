"""Installs the pip of requirements.lock into the environment of the running Python, where ensurepip is missing.

The wheel comes from the index that PIP_INDEX_URL names; without one nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag, urljoin

LOCK = Path(__file__).parent.parent / "requirements.lock"
INDEX = os.environ.get("PIP_INDEX_URL", "").rstrip("/")


def fetch(url: str) -> bytes:
    """The body of an answer; raises urllib.error.URLError."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def pinned() -> tuple[str, set[str]]:
    """File name of the wheel, and the sha256 sums that the lock allows."""
    lock = LOCK.read_text(encoding="utf-8")
    entry = re.search(r"^pip==(\S+)((?:\s*\\\n\s+--hash=sha256:\w+)+)", lock, re.MULTILINE)
    if entry is None:
        raise ValueError(f"{LOCK.name} pins no pip")
    return f"pip-{entry[1]}-py3-none-any.whl", set(re.findall(r"sha256:(\w+)", entry[2]))


def main() -> int:
    """Fetch, compare and install; answers the exit status."""
    if not INDEX:
        print("bootstrap_pip: PIP_INDEX_URL names no index", file=sys.stderr)
        return 1
    name, sums = pinned()
    page = f"{INDEX}/pip/"
    try:
        link = re.search(rf'href="([^"]*{re.escape(name)}[^"]*)"', fetch(page).decode())
        if link is None:
            print(f"bootstrap_pip: {page} has no {name}", file=sys.stderr)
            return 1
        wheel = fetch(urldefrag(urljoin(page, unescape(link[1]))).url)
    except (urllib.error.URLError, TimeoutError) as error:
        print(f"bootstrap_pip: {page}: {error}", file=sys.stderr)
        return 1
    if hashlib.sha256(wheel).hexdigest() not in sums:
        print(f"bootstrap_pip: {name} is not the file that requirements.lock names", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(wheel)
        # A wheel of pip runs from inside its own file.
        command = [sys.executable, f"{path}/pip", "install", "--quiet", "--no-index", "--no-deps", str(path)]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
