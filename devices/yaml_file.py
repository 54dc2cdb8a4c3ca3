"""Reads our YAML data files: plain values, with the line of every key for error messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.resources.abc import Traversable

    from pydantic import ValidationError


class DataFileError(ValueError):
    """A data file of the catalogue is wrong; the text names file, line, key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Document:
    """A data file as plain values."""

    name: str  # file name, for messages
    value: Any
    line_by_path: Mapping[tuple[str | int, ...], int]  # key path -> line, from 1

    def line(self, path: Sequence[str | int]) -> int:
        """Line of the value at `path`, or of the nearest enclosing value that stands in the file."""
        keys = tuple(path)
        while keys not in self.line_by_path:
            keys = keys[:-1]
        return self.line_by_path[keys]

    def error(self, path: Sequence[str | int], message: str) -> DataFileError:
        """An error about the value at `path`."""
        key = ".".join(str(part) for part in path) or "file"
        return DataFileError(f"{self.name}:{self.line(path)}: {key}: {message}")

    def validation_error(self, error: ValidationError) -> DataFileError:
        """All faults that a schema found, a line each."""
        faults: list[str] = []
        for fault in error.errors(include_url=False):
            path = [part for part in fault["loc"] if part != "[key]"]
            sent = "" if fault["type"] == "missing" else f" (got {fault['input']!r:.80})"
            faults.append(str(self.error(path, fault["msg"] + sent)))
        return DataFileError("\n".join(faults))


class _Loader(yaml.SafeLoader):
    """Scalars as YAML 1.2 reads them: in 1.1 the words no, on and off are booleans and 12:30 is a number of seconds."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789"),
)


def read_yaml(file: Traversable) -> Document:
    """Read one data file.

    Raises:
        DataFileError: not UTF-8, not YAML, empty, or a key stands twice in one mapping.
    """
    try:
        loader = _Loader(file.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise _unreadable(file.name, error) from error
    if node is None:
        raise DataFileError(f"{file.name}: the file is empty")
    lines: dict[tuple[str | int, ...], int] = {}
    try:
        _note_lines(node, (), lines, file.name)
        return Document(name=file.name, value=loader.construct_document(node), line_by_path=lines)
    except yaml.YAMLError as error:
        raise _unreadable(file.name, error) from error


def _unreadable(name: str, error: Exception) -> DataFileError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return DataFileError(f"{name}:{error.problem_mark.line + 1}: {error.problem}")
    return DataFileError(f"{name}: {error}")


def _note_lines(
    node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], file_name: str
) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            if below in lines:
                raise DataFileError(f"{file_name}:{key.start_mark.line + 1}: key '{key.value}' stands twice")
            _note_lines(value, below, lines, file_name)
            lines[below] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*path, index), lines, file_name)
