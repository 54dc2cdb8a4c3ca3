"""The database of Thu Bon: migrations, the readable schema and every query by name."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import LiteralString

_HEADER = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)$", re.MULTILINE)


def load_queries(file: str) -> dict[str, LiteralString]:
    """Read `sql/queries/<file>.sql` into its statements, by name.

    A statement starts at a line `-- name: <name>` and ends where the next one starts; the line after the header
    says what it is for.

    Args:
        file: file name without its ending, one of those in `sql/queries/`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a name stands twice, or text stands before the first header.
    """
    text = (files("sql") / "queries" / f"{file}.sql").read_text(encoding="utf-8")
    heads = list(_HEADER.finditer(text))
    if not heads or text[: heads[0].start()].strip():
        raise ValueError(f"sql/queries/{file}.sql must start with a line '-- name: <name>'")
    queries: dict[str, LiteralString] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        name = head["name"]
        if name in queries:
            raise ValueError(f"sql/queries/{file}.sql names '{name}' twice")
        body = text[head.end() : following.start() if following else len(text)].strip()
        # The text comes from our own package, so it is as trusted as a literal in the code.
        queries[name] = body
    return queries
