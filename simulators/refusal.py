"""What is wrong with a YAML file of ours: all its faults, a line each, with what is allowed in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from devices.yaml_file import DataFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError

    from devices.yaml_file import Document


def refusal(document: Document, model: type[BaseModel], error: ValidationError) -> DataFileError:
    """The faults that a model found in a file.

    Args:
        document: the file.
        model: what the whole file has to be.
        error: what it said.
    """
    faults = []
    for fault in error.errors(include_url=False):
        path = [part for part in fault["loc"] if part != "[key]"]
        sent = "" if fault["type"] == "missing" or not path else f" (got {fault['input']!r:.80})"
        text = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            text, sent = f"unknown key; allowed: {', '.join(_keys_at(model, path[:-1]))}", ""
        faults.append(str(document.error(path, text + sent)))
    return DataFileError("\n".join(faults))


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Keys that a mapping of the file may have."""
    for part in path:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part in fields:  # else a place in a list, or a name that the file gives itself
            model = _model_in(fields[str(part)].annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that stands in an annotation such as `tuple[Model, ...]` or `dict[str, Model]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
