"""What a value of a request may not be, in words of both languages: our own checks, and pydantic's by their type."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticCustomError

from devices.models import IDENTIFIER_PATTERN, LABEL_PATTERN, Bilingual
from devices.wording import fill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.wording import Parameter, Wording

USER_NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9._@-]{0,62}$"


class InvalidCode(StrEnum):
    """Code of a value that cannot be; public, never renamed."""

    MISSING = "invalid-missing"
    NOT_EXPECTED = "invalid-not-expected"
    UNKNOWN_PARAMETER = "invalid-unknown-parameter"
    WHOLE_NUMBER = "invalid-whole-number"
    NUMBER = "invalid-number"
    FINITE = "invalid-finite"
    TRUE_OR_FALSE = "invalid-true-or-false"
    TEXT = "invalid-text"
    LIST = "invalid-list"
    OBJECT = "invalid-object"
    UUID = "invalid-uuid"
    JSON = "invalid-json"
    TOO_SHORT = "invalid-too-short"
    TOO_LONG = "invalid-too-long"
    TOO_FEW = "invalid-too-few"
    TOO_MANY = "invalid-too-many"
    PATTERN = "invalid-pattern"
    CHOICE = "invalid-choice"
    ABOVE = "invalid-above"
    AT_LEAST = "invalid-at-least"
    BELOW = "invalid-below"
    AT_MOST = "invalid-at-most"
    TIME_FORM = "invalid-time-form"
    TIME_RANGE = "invalid-time-range"
    DAY_FORM = "invalid-day-form"
    DAY_RANGE = "invalid-day-range"
    BOX_NUMBERS = "invalid-box-numbers"
    BOX_ORDER = "invalid-box-order"
    VALUE_NEEDED = "invalid-value-needed"
    GRANT_TOWN = "invalid-grant-town"
    NO_SUCH_TOWN = "invalid-no-such-town"
    NOT_PRINTABLE = "invalid-not-printable"
    NAME_KEPT = "invalid-name-kept"
    NAME_TAKEN = "invalid-name-taken"
    EXPIRY = "invalid-expiry"
    ETAG = "invalid-etag"
    CURSOR = "invalid-cursor"
    REPEATED = "invalid-repeated"
    SPAN_ORDER = "invalid-span-order"
    SPAN_LENGTH = "invalid-span-length"
    NOT_YET = "invalid-not-yet"
    UNKNOWN_TOWN = "invalid-unknown-town"
    UNKNOWN_WARD = "invalid-unknown-ward"
    WARD_OF_TOWN = "invalid-ward-of-town"
    UNKNOWN_PROPERTY = "invalid-unknown-property"
    UNKNOWN_FIGURE = "invalid-unknown-figure"
    PCU_OF_TRAFFIC = "invalid-pcu-of-traffic"
    UNKNOWN_PCU_SET = "invalid-unknown-pcu-set"
    CERTIFICATE_KIND = "invalid-certificate-kind"
    CERTIFICATE_SUBJECT = "invalid-certificate-subject"
    OTHER = "invalid-other"


INVALID_TEXTS: Final[Mapping[InvalidCode, Bilingual]] = {
    InvalidCode.MISSING: Bilingual("bắt buộc phải có", "is required"),
    InvalidCode.NOT_EXPECTED: Bilingual("không được có ở đây", "has no place here"),
    InvalidCode.UNKNOWN_PARAMETER: Bilingual(
        "tham số không biết; cho phép: {allowed}", "unknown parameter; allowed: {allowed}"
    ),
    InvalidCode.WHOLE_NUMBER: Bilingual("phải là số nguyên", "must be a whole number"),
    InvalidCode.NUMBER: Bilingual("phải là số", "must be a number"),
    InvalidCode.FINITE: Bilingual("phải là số hữu hạn", "must be a finite number"),
    InvalidCode.TRUE_OR_FALSE: Bilingual("phải là true hoặc false", "must be true or false"),
    InvalidCode.TEXT: Bilingual("phải là văn bản", "must be a text"),
    InvalidCode.LIST: Bilingual("phải là một danh sách", "must be a list"),
    InvalidCode.OBJECT: Bilingual("phải là một đối tượng JSON", "must be a JSON object"),
    InvalidCode.UUID: Bilingual("phải là một UUID", "must be a UUID"),
    InvalidCode.JSON: Bilingual("không phải JSON hợp lệ", "is not valid JSON"),
    InvalidCode.TOO_SHORT: Bilingual("phải có ít nhất {limit} ký tự", "must have {limit} or more characters"),
    InvalidCode.TOO_LONG: Bilingual("được có tối đa {limit} ký tự", "may have at most {limit} characters"),
    InvalidCode.TOO_FEW: Bilingual("phải có đủ {limit} phần tử", "must have {limit} items at least"),
    InvalidCode.TOO_MANY: Bilingual("được có tối đa {limit} phần tử", "may have {limit} items at most"),
    InvalidCode.PATTERN: Bilingual("không đúng dạng; cho phép: {rule}", "has not the form asked for; allowed: {rule}"),
    InvalidCode.CHOICE: Bilingual("phải là một trong: {allowed}", "must be one of: {allowed}"),
    InvalidCode.ABOVE: Bilingual("phải lớn hơn {limit}", "must be greater than {limit}"),
    InvalidCode.AT_LEAST: Bilingual("phải từ {limit} trở lên", "must be {limit} or more"),
    InvalidCode.BELOW: Bilingual("phải nhỏ hơn {limit}", "must be less than {limit}"),
    InvalidCode.AT_MOST: Bilingual("không được lớn hơn {limit}", "must be {limit} or less"),
    InvalidCode.TIME_FORM: Bilingual(
        "phải là thời điểm RFC 3339 có múi giờ, như 2026-11-23T00:00:00Z hoặc 2026-11-23T07:00:00%2B07:00 "
        "(trong URL dấu cộng viết là %2B)",
        "must be an RFC 3339 time with offset, such as 2026-11-23T00:00:00Z or 2026-11-23T07:00:00%2B07:00 "
        "(a plus sign in a URL is written %2B)",
    ),
    InvalidCode.TIME_RANGE: Bilingual(
        "phải nằm trong khoảng {first} đến {last}", "must lie between {first} and {last}"
    ),
    InvalidCode.DAY_FORM: Bilingual(
        "phải là một ngày địa phương như 2026-11-23", "must be a local date such as 2026-11-23"
    ),
    InvalidCode.DAY_RANGE: Bilingual(
        "phải nằm trong khoảng {first} đến hôm nay, {last} theo giờ Việt Nam",
        "must lie between {first} and today, {last} in Asia/Ho_Chi_Minh",
    ),
    InvalidCode.BOX_NUMBERS: Bilingual(
        "phải là bốn số tây,nam,đông,bắc tính bằng độ", "must be four numbers west,south,east,north in degrees"
    ),
    InvalidCode.BOX_ORDER: Bilingual(
        "phải là tây,nam,đông,bắc với -180 <= tây <= đông <= 180, -90 <= nam <= bắc <= 90",
        "must be west,south,east,north with -180 <= west <= east <= 180, -90 <= south <= north <= 90",
    ),
    InvalidCode.VALUE_NEEDED: Bilingual(
        "phải có giá trị; muốn giữ nguyên thì đừng gửi", "must have a value; leave it out to keep what stands"
    ),
    InvalidCode.GRANT_TOWN: Bilingual(
        "mỗi tên phải là mã của một đô thị, hoặc '*' cho tất cả",
        "each name must be the id of a town, or '*' for all of them",
    ),
    InvalidCode.NO_SUCH_TOWN: Bilingual("không có đô thị '{town}'", "there is no town '{town}'"),
    InvalidCode.NOT_PRINTABLE: Bilingual("phải là văn bản in được", "must be printable text"),
    InvalidCode.NAME_KEPT: Bilingual(
        "tên này dành cho các chương trình; hãy chọn tên khác", "this name is kept for programs; take another"
    ),
    InvalidCode.NAME_TAKEN: Bilingual(
        "tên đăng nhập này không dùng được; hãy chọn tên khác", "this name cannot be taken"
    ),
    InvalidCode.EXPIRY: Bilingual(
        "phải ở tương lai, cách nay tối đa {days} ngày", "must lie in the future, at most {days} days away"
    ),
    InvalidCode.ETAG: Bilingual(
        'phải là ETag như đã đọc, ví dụ "3", hoặc *', 'must be an ETag as it was read, such as "3", or *'
    ),
    InvalidCode.CURSOR: Bilingual(
        "con trỏ không biết; hãy dùng giá trị 'next' của câu trả lời trước",
        "unknown cursor; use the value of 'next' of an earlier answer",
    ),
    InvalidCode.REPEATED: Bilingual("chỉ được có một lần", "must stand once"),
    InvalidCode.SPAN_ORDER: Bilingual("phải sau 'from'", "must be later than 'from'"),
    InvalidCode.SPAN_LENGTH: Bilingual(
        "khoảng thời gian được dài tối đa {days} ngày", "the span may be {days} days at most"
    ),
    InvalidCode.NOT_YET: Bilingual("không được sau hiện tại, {now}", "must not be later than now, {now}"),
    InvalidCode.UNKNOWN_TOWN: Bilingual(
        "không có đô thị '{town}'; các đô thị: {allowed}", "there is no town '{town}'; towns: {allowed}"
    ),
    InvalidCode.UNKNOWN_WARD: Bilingual(
        "không có phường, xã '{ward}' ở đây; cho phép: {allowed}", "there is no ward '{ward}' here; allowed: {allowed}"
    ),
    InvalidCode.WARD_OF_TOWN: Bilingual(
        "{town} không có phường, xã '{ward}'; cho phép: {allowed}", "{town} has no ward '{ward}'; allowed: {allowed}"
    ),
    InvalidCode.UNKNOWN_PROPERTY: Bilingual(
        "'{property}' không phải đại lượng quan trắc nào; cho phép: {allowed}",
        "'{property}' is no observed property; allowed: {allowed}",
    ),
    InvalidCode.UNKNOWN_FIGURE: Bilingual(
        "'{figure}' không phải chỉ tiêu nào của {domain}; cho phép: {allowed}",
        "'{figure}' is no figure of {domain}; allowed: {allowed}",
    ),
    InvalidCode.PCU_OF_TRAFFIC: Bilingual(
        "chỉ giao thông tính theo đơn vị xe con quy đổi; hãy bỏ tham số này",
        "only traffic is told in passenger car units; leave it out",
    ),
    InvalidCode.UNKNOWN_PCU_SET: Bilingual(
        "'{given}' không phải bộ hệ số có hiệu lực ngày {day}; cho phép: {allowed}",
        "'{given}' is no set of coefficients that holds on {day}; allowed: {allowed}",
    ),
    InvalidCode.CERTIFICATE_KIND: Bilingual(
        "chỉ đi cùng kind 'certificate', ngoài ra không", "stands with kind 'certificate' and with no other"
    ),
    InvalidCode.CERTIFICATE_SUBJECT: Bilingual(
        "chủ thể của chứng thư là '{subject}', không phải thiết bị này", "its subject is '{subject}', not this device"
    ),
    InvalidCode.OTHER: Bilingual("không dùng được", "cannot be taken"),
}

PATTERN_RULES: Final[Mapping[str, Bilingual]] = {
    f"^{IDENTIFIER_PATTERN}$": Bilingual(
        "1 đến 63 chữ thường không dấu, chữ số và dấu gạch nối, bắt đầu bằng chữ hoặc số",
        "1 to 63 lower-case letters, digits and hyphens, starting with a letter or digit",
    ),
    f"^{LABEL_PATTERN}$": Bilingual(
        "một từ gồm chữ thường, chữ số, '-', '_', '.', hoặc khoá=giá trị",
        "a word of lower-case letters, digits, '-', '_', '.', or key=value",
    ),
    USER_NAME_PATTERN: Bilingual(
        "1 đến 63 chữ thường không dấu, chữ số và . _ @ -, bắt đầu bằng chữ hoặc số",
        "1 to 63 lower-case letters, digits and . _ @ -, starting with a letter or digit",
    ),
}
"""What a pattern allows, in words; of another the pattern itself is told."""

_CODES: Final[Mapping[str, tuple[InvalidCode, str | None]]] = {
    "missing": (InvalidCode.MISSING, None),
    "extra_forbidden": (InvalidCode.NOT_EXPECTED, None),
    "int_type": (InvalidCode.WHOLE_NUMBER, None),
    "int_parsing": (InvalidCode.WHOLE_NUMBER, None),
    "int_parsing_size": (InvalidCode.WHOLE_NUMBER, None),
    "int_from_float": (InvalidCode.WHOLE_NUMBER, None),
    "float_type": (InvalidCode.NUMBER, None),
    "float_parsing": (InvalidCode.NUMBER, None),
    "finite_number": (InvalidCode.FINITE, None),
    "bool_type": (InvalidCode.TRUE_OR_FALSE, None),
    "bool_parsing": (InvalidCode.TRUE_OR_FALSE, None),
    "string_type": (InvalidCode.TEXT, None),
    "string_too_short": (InvalidCode.TOO_SHORT, "min_length"),
    "string_too_long": (InvalidCode.TOO_LONG, "max_length"),
    "too_short": (InvalidCode.TOO_FEW, "min_length"),
    "too_long": (InvalidCode.TOO_MANY, "max_length"),
    "greater_than": (InvalidCode.ABOVE, "gt"),
    "greater_than_equal": (InvalidCode.AT_LEAST, "ge"),
    "less_than": (InvalidCode.BELOW, "lt"),
    "less_than_equal": (InvalidCode.AT_MOST, "le"),
    "list_type": (InvalidCode.LIST, None),
    "tuple_type": (InvalidCode.LIST, None),
    "dict_type": (InvalidCode.OBJECT, None),
    "model_type": (InvalidCode.OBJECT, None),
    "model_attributes_type": (InvalidCode.OBJECT, None),
    "uuid_type": (InvalidCode.UUID, None),
    "uuid_parsing": (InvalidCode.UUID, None),
    "json_invalid": (InvalidCode.JSON, None),
    "datetime_type": (InvalidCode.TIME_FORM, None),
    "datetime_parsing": (InvalidCode.TIME_FORM, None),
    "datetime_from_date_parsing": (InvalidCode.TIME_FORM, None),
    "datetime_object_invalid": (InvalidCode.TIME_FORM, None),
    "date_type": (InvalidCode.DAY_FORM, None),
    "date_parsing": (InvalidCode.DAY_FORM, None),
    "date_from_datetime_parsing": (InvalidCode.DAY_FORM, None),
    "date_from_datetime_inexact": (InvalidCode.DAY_FORM, None),
}
"""Type of an error of pydantic -> our code, and which member of its context is the limit."""


_NONE: Final = Bilingual("không có", "none")


def invalid_words(code: InvalidCode, **parameters: Parameter) -> Wording:
    """What a value may not be, in words."""
    return fill(code.value, INVALID_TEXTS[code], parameters)


def invalid(code: InvalidCode, **parameters: str | int) -> PydanticCustomError:
    """The error that a validator of ours raises."""
    return PydanticCustomError(code.value, INVALID_TEXTS[code].en, parameters or None)


def worded_error(error: Mapping[str, Any], allowed: Sequence[str] | None) -> Wording:
    """An error of pydantic in words; English as pydantic has it goes into `detail` beside it.

    Args:
        error: one of `ValidationError.errors()`.
        allowed: parameters that may stand there, where the error is that another does; else None.
    """
    kind, context = error["type"], error.get("ctx") or {}
    if allowed is not None:
        return invalid_words(InvalidCode.UNKNOWN_PARAMETER, allowed=", ".join(allowed) or _NONE)
    if kind in INVALID_TEXTS:
        return invalid_words(InvalidCode(kind), **context)
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return invalid_words(InvalidCode.PATTERN, rule=PATTERN_RULES.get(pattern, pattern))
    if kind in {"literal_error", "enum"}:
        return invalid_words(InvalidCode.CHOICE, allowed=str(context["expected"]).replace(" or ", ", "))
    code, limit = _CODES.get(kind, (InvalidCode.OTHER, None))
    return invalid_words(code, **({} if limit is None else {"limit": _plain(context[limit])}))


def _plain(number: float) -> float:
    return int(number) if float(number).is_integer() else number
