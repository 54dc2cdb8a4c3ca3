"""Why a reading is refused: the codes, what each means and how it is mended, for people in both languages.

The codes are public (rejections, metrics, documents): they are never renamed and never reused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reason(StrEnum):
    """Reason code of a rejection."""

    NOT_UTF8 = "not-utf8"
    NOT_JSON = "not-json"
    WRONG_SHAPE = "wrong-shape"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    TOO_MANY_READINGS = "too-many-readings"
    BAD_TOPIC = "bad-topic"
    RETAINED_UNSTAMPED = "retained-unstamped"
    UNKNOWN_DEVICE = "unknown-device"
    NOT_ITS_GATEWAY = "not-its-gateway"
    UNKNOWN_DATASTREAM = "unknown-datastream"
    WRONG_TOWN = "wrong-town"
    NOT_FINITE = "not-finite"
    OUT_OF_BOUNDS = "out-of-bounds"
    UNKNOWN_WORD = "unknown-word"
    BAD_QUALITY = "bad-quality"
    BAD_TIMESTAMP = "bad-timestamp"
    TIMESTAMP_IN_SECONDS = "timestamp-in-seconds"
    CLOCK_AHEAD = "clock-ahead"
    CLOCK_BEHIND = "clock-behind"
    TOO_OLD = "too-old"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate-limited"
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class ReasonText:
    """A reason in words."""

    meaning: Bilingual
    cure: Bilingual  # what the installer or the operator does about it


def _text(meaning_vi: str, meaning_en: str, cure_vi: str, cure_en: str) -> ReasonText:
    return ReasonText(meaning=Bilingual(meaning_vi, meaning_en), cure=Bilingual(cure_vi, cure_en))


REASON_TEXTS: Final[Mapping[Reason, ReasonText]] = {
    Reason.NOT_UTF8: _text(
        "Nội dung bản tin không phải văn bản UTF-8.",
        "The payload is not UTF-8 text.",
        "Đặt thiết bị gửi JSON mã hoá UTF-8; kiểm tra thiết bị có đang gửi dữ liệu nhị phân hoặc nén không.",
        "Set the device to send JSON in UTF-8; see whether it sends binary or compressed data.",
    ),
    Reason.NOT_JSON: _text(
        "Nội dung bản tin không phải JSON hợp lệ.",
        "The payload is not valid JSON.",
        "Kiểm tra bản tin bị cắt cụt, dấu phẩy thập phân, dấu nháy đơn hoặc NaN; JSON chỉ nhận dấu chấm thập phân.",
        "Look for a cut message, decimal commas, single quotes or NaN; JSON takes the decimal point alone.",
    ),
    Reason.WRONG_SHAPE: _text(
        "JSON hợp lệ nhưng không đúng cấu trúc quy định cho chủ đề này.",
        "The JSON is valid but has not the shape this topic asks for.",
        'Gửi {"tên": giá trị} hoặc {"ts": ..., "values": {...}} hoặc một mảng các phần tử như vậy.',
        'Send {"name": value} or {"ts": ..., "values": {...}} or an array of the latter.',
    ),
    Reason.TOO_LARGE: _text(
        "Bản tin lớn hơn kích thước cho phép.",
        "The message is larger than allowed.",
        "Chia dữ liệu thành nhiều bản tin nhỏ hơn.",
        "Split the data into several smaller messages.",
    ),
    Reason.TOO_DEEP: _text(
        "JSON lồng nhau quá nhiều tầng.",
        "The JSON is nested too deeply.",
        "Gửi đúng cấu trúc quy định: giá trị là số, true/false hoặc từ, không phải đối tượng.",
        "Send the shape asked for: a value is a number, true/false or a word, never an object.",
    ),
    Reason.TOO_MANY_READINGS: _text(
        "Một bản tin chứa quá nhiều số đọc.",
        "One message holds too many readings.",
        "Chia dữ liệu gửi bù thành nhiều bản tin nhỏ hơn.",
        "Split the back-filled data into several smaller messages.",
    ),
    Reason.BAD_TOPIC: _text(
        "Chủ đề MQTT không đúng dạng quy định.",
        "The MQTT topic has not the form asked for.",
        "Dùng thubon/v1/<đô thị>/<thiết bị>/telemetry, gateway hoặc status; mã chỉ gồm chữ thường, số và dấu gạch nối.",
        "Use thubon/v1/<town>/<device>/telemetry, gateway or status; ids are lower-case letters, digits and hyphens.",
    ),
    Reason.RETAINED_UNSTAMPED: _text(
        "Bản tin được lưu lại (retain) mà không có thời điểm đo, nên không biết số đọc cũ đến mức nào.",
        "The message is retained and bears no time, so nobody can tell how old its readings are.",
        "Tắt cờ retain cho telemetry, hoặc gửi kèm ts.",
        "Switch the retain flag off for telemetry, or send ts.",
    ),
    Reason.UNKNOWN_DEVICE: _text(
        "Thiết bị chưa có trong sổ đăng ký.",
        "The device is not in the registry.",
        "Đăng ký thiết bị, hoặc sửa mã thiết bị trong cấu hình của nó.",
        "Register the device, or mend the device id in its settings.",
    ),
    Reason.NOT_ITS_GATEWAY: _text(
        "Thiết bị không được đăng ký sau cổng (gateway) đã gửi bản tin này.",
        "The device is not registered behind the gateway that sent the message.",
        "Ghi đúng gateway của thiết bị trong sổ đăng ký, hoặc bỏ thiết bị khỏi cấu hình của gateway này.",
        "Name the device's gateway in the registry, or take the device out of this gateway's settings.",
    ),
    Reason.UNKNOWN_DATASTREAM: _text(
        "Hồ sơ của thiết bị không có dòng dữ liệu mang tên này.",
        "The device's profile has no datastream of this name.",
        "Sửa tên khoá cho khớp hồ sơ, chọn đúng hồ sơ thiết bị, hoặc bổ sung dòng dữ liệu vào hồ sơ.",
        "Mend the key to match the profile, choose the right profile, or add the datastream to the profile.",
    ),
    Reason.WRONG_TOWN: _text(
        "Thiết bị thuộc đô thị khác với đô thị ghi trong chủ đề.",
        "The device belongs to another town than its topic says.",
        "Sửa đô thị trong chủ đề của thiết bị, hoặc trong sổ đăng ký.",
        "Mend the town in the device's topic, or in the registry.",
    ),
    Reason.NOT_FINITE: _text(
        "Giá trị không phải số hữu hạn (vô cực hoặc NaN).",
        "The value is not a finite number (infinite or NaN).",
        "Kiểm tra cảm biến; khi không có số đọc thì gửi null.",
        "Check the sensor; where there is no reading send null.",
    ),
    Reason.OUT_OF_BOUNDS: _text(
        "Giá trị nằm ngoài giới hạn vật lý của đại lượng.",
        "The value lies outside what is physically possible.",
        "Kiểm tra đơn vị gửi có đúng với hồ sơ không, rồi kiểm tra cảm biến.",
        "See whether the unit sent is the profile's, then check the sensor.",
    ),
    Reason.UNKNOWN_WORD: _text(
        "Giá trị là một từ mà dòng dữ liệu không quy định.",
        "The value is a word this datastream does not know.",
        "Gửi một trong các từ quy định; số phải viết không có dấu nháy.",
        "Send one of the words listed; a number is written without quotes.",
    ),
    Reason.BAD_QUALITY: _text(
        "Mã chất lượng không hợp lệ.",
        "The quality code is not valid.",
        'Gửi "00" (đang đo), "01" (hiệu chuẩn) hoặc "02" (báo lỗi), trong dấu nháy.',
        'Send "00" (measuring), "01" (calibrating) or "02" (fault), in quotes.',
    ),
    Reason.BAD_TIMESTAMP: _text(
        "Thời điểm đo không đọc được.",
        "The timestamp cannot be read.",
        "Gửi ts là số nguyên mili giây Unix, hoặc chuỗi RFC 3339 có múi giờ.",
        "Send ts as whole Unix milliseconds, or as an RFC 3339 string with its offset.",
    ),
    Reason.TIMESTAMP_IN_SECONDS: _text(
        "Thời điểm đo có vẻ tính bằng giây; quy định là mili giây.",
        "The timestamp seems to be in seconds; milliseconds are asked for.",
        "Nhân thời điểm với 1000, hoặc đặt đồng hồ thiết bị nếu nó đang đếm từ lúc bật nguồn.",
        "Multiply the time by 1000, or set the device's clock if it counts from power-up.",
    ),
    Reason.CLOCK_AHEAD: _text(
        "Thời điểm đo ở tương lai xa hơn mức cho phép.",
        "The timestamp lies further in the future than allowed.",
        "Đồng bộ đồng hồ thiết bị (NTP); kiểm tra giờ địa phương có bị gửi như UTC không.",
        "Set the device's clock (NTP); see whether local time is sent as if it were UTC.",
    ),
    Reason.CLOCK_BEHIND: _text(
        "Đồng hồ thiết bị chạy chậm hơn mức cho phép.",
        "The device's clock is further behind than allowed.",
        "Đồng bộ đồng hồ thiết bị (NTP); kiểm tra pin đồng hồ.",
        "Set the device's clock (NTP); check the clock's battery.",
    ),
    Reason.TOO_OLD: _text(
        "Số đọc cũ hơn thời hạn lưu trữ nên không nhận nữa.",
        "The reading is older than what is kept, so it is not taken any more.",
        "Kiểm tra đồng hồ thiết bị; dữ liệu lịch sử cũ hơn phải nhập theo cách khác.",
        "Check the device's clock; older history has to be brought in another way.",
    ),
    Reason.CONFLICT: _text(
        "Đã có giá trị khác cho cùng dòng dữ liệu và cùng thời điểm.",
        "Another value stands already for the same datastream and time.",
        "Kiểm tra hai thiết bị có dùng chung một mã không, hoặc thiết bị có gửi lại giá trị đã sửa không.",
        "See whether two devices share one id, or whether the device sends corrected values again.",
    ),
    Reason.INTERNAL_ERROR: _text(
        "Lỗi của phần mềm Thu Bồn khi xử lý bản tin này; bản tin được giữ nguyên.",
        "A fault of Thu Bon itself met this message; the message is kept as it came.",
        "Báo cho kỹ sư trực kèm nhật ký của ingest; sau khi sửa thì phát lại bản tin.",
        "Tell the engineer on call, with the worker's log; replay the message once the fault is mended.",
    ),
    Reason.RATE_LIMITED: _text(
        "Nguồn gửi nhanh hơn mức cho phép.",
        "The source sends faster than allowed.",
        "Giảm tần suất gửi; kiểm tra thiết bị có bị lặp vòng không.",
        "Lower the sending rate; see whether the device runs in a loop.",
    ),
}
