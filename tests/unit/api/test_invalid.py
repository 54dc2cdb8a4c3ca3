"""Values that cannot be: what pydantic and our own checks refuse is said in both languages, with its limits."""

from __future__ import annotations

import math
import re
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from api import people_queries, registry_requests
from api.dependencies import Bbox, DevicesQuery, Identifier, Label, Time
from api.invalid import INVALID_TEXTS, InvalidCode, worded_error
from api.operations.queries import SummaryQuery

if TYPE_CHECKING:
    from devices.wording import Wording

MODELS: list[Any] = [
    *(getattr(registry_requests, name) for name in (
        "NewTown", "TownChanges", "NewSite", "SiteChanges", "NewRegisteredDevice", "AcceptedKnock", "KnockTown",
        "DeviceChanges", "Move", "LabelSheet", "ClaimWish", "SitesQuery", "WardsQuery", "ImportQuery", "ExportQuery",
        "KnocksQuery",
    )),
    *(getattr(people_queries, name) for name in ("NewUser", "UserChange", "NewKey", "AuditQuery")),
    DevicesQuery,
    SummaryQuery,
]  # fmt: skip
NEVER: tuple[Any, ...] = (
    None, "", "x" * 3_000, "Hà Nội", "\x00", -1e9, 1e9, 0.5, math.nan, math.inf, True, [], ["Hà Nội"] * 40, {},
    {"Hà Nội": "king"}, "2026-11-23", "1999-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "1,2,3", "9,9,1,1", "ingest",
)  # fmt: skip


def refusals(kind: Any, value: Any) -> list[Wording]:
    """What is said of a value; nothing where it is taken."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as refused:
        return [worded_error(error, None) for error in refused.errors()]
    return []


@pytest.mark.parametrize("code", InvalidCode)
def test_a_code_has_words_in_both_languages_with_the_same_gaps(code: InvalidCode) -> None:
    text = INVALID_TEXTS[code]
    assert re.fullmatch(r"invalid-[a-z]+(-[a-z]+)*", code)
    assert text.vi
    assert text.en
    assert text.vi != text.en
    names = [{name for _, name, _, _ in Formatter().parse(words) if name} for words in (text.vi, text.en)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("kind", "value", "code", "vi"),
    [
        (Annotated[float, Field(ge=-90)], -91, "invalid-at-least", "phải từ -90 trở lên"),
        (Annotated[float, Field(le=0.5)], 1, "invalid-at-most", "không được lớn hơn 0.5"),
        (Annotated[int, Field(gt=0)], 0, "invalid-above", "phải lớn hơn 0"),
        (Annotated[int, Field(lt=7)], 7, "invalid-below", "phải nhỏ hơn 7"),
        (Annotated[str, Field(max_length=3)], "abcd", "invalid-too-long", "được có tối đa 3 ký tự"),
        (Annotated[str, Field(min_length=8)], "abcd", "invalid-too-short", "phải có ít nhất 8 ký tự"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "invalid-too-many", "được có tối đa 1 phần tử"),
        (Annotated[list[int], Field(min_length=1)], [], "invalid-too-few", "phải có đủ 1 phần tử"),
        (int, "x", "invalid-whole-number", "phải là số nguyên"),
        (int, 1.5, "invalid-whole-number", "phải là số nguyên"),
        (float, "15,88", "invalid-number", "phải là số"),
        (Annotated[float, Field(allow_inf_nan=False)], math.nan, "invalid-finite", "phải là số hữu hạn"),
        (bool, "perhaps", "invalid-true-or-false", "phải là true hoặc false"),
        (str, 1, "invalid-text", "phải là văn bản"),
        (UUID, "x", "invalid-uuid", "phải là một UUID"),
        (Literal["a", "b", "c"], "d", "invalid-choice", "phải là một trong: 'a', 'b', 'c'"),
        (Time, "today", "invalid-time-form", "phải là thời điểm RFC 3339"),
        (Time, "2400-01-01T00:00:00Z", "invalid-time-range", "phải nằm trong khoảng 1970-01-01 đến 2200-01-01"),
        (Bbox, "1,2,3", "invalid-box-numbers", "phải là bốn số"),
        (Bbox, "9,9,1,1", "invalid-box-order", "phải là tây,nam,đông,bắc với"),
        (Identifier, "Hà", "invalid-pattern", "không đúng dạng; cho phép: 1 đến 63 chữ thường không dấu"),
        (Label, "Hà", "invalid-pattern", "không đúng dạng; cho phép: một từ gồm chữ thường"),
        (Annotated[str, Field(pattern="^a+$")], "b", "invalid-pattern", "không đúng dạng; cho phép: ^a+$"),
    ],
)
def test_what_is_wrong_is_said_with_its_limit(kind: Any, value: Any, code: str, vi: str) -> None:
    (wording,) = refusals(kind, value)
    assert wording.code == code
    assert wording.vi.startswith(vi)
    assert wording.en != wording.vi


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_a_request_is_never_refused_without_words(model: type[BaseModel]) -> None:
    fields = [field.alias or name for name, field in model.model_fields.items()]
    said = [wording for name in [*fields, "colour"] for value in NEVER for wording in refusals(model, {name: value})]
    said += refusals(model, "x") + refusals(model, {})
    assert said
    assert [wording.en for wording in said if wording.code == InvalidCode.OTHER] == []


def test_an_unknown_parameter_is_told_what_may_stand_there() -> None:
    error = {"type": "extra_forbidden", "loc": ("query", "twon"), "msg": "Extra inputs are not permitted"}
    assert worded_error(error, ["town", "limit"]).vi == "tham số không biết; cho phép: town, limit"
    assert worded_error(error, []).en == "unknown parameter; allowed: none"
