"""Why a change of the registry or a row of a file is refused: the codes, and each in words in both languages.

The codes are public (problem details, reports of imports): they are never renamed and never reused. A text fills its
`{gaps}` with the parameters of `devices.wording.worded`; it ends without a full stop, for it
follows a field's name and a colon.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from devices.models import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusalCode(StrEnum):
    """Code of a refusal, or of a warning."""

    NOTHING_IMPORTED = "nothing-imported"
    FILE_TYPE = "file-type"
    IMPORT_RUNS = "import-runs"
    UPLOADS_BUSY = "uploads-busy"
    UPLOAD_SLOW = "upload-slow"
    UPLOAD_TOO_LARGE = "upload-too-large"
    IF_MATCH_NEEDED = "if-match-needed"
    FILE_TOO_LARGE = "file-too-large"
    TOO_MANY_ROWS = "too-many-rows"
    TOO_MANY_COLUMNS = "too-many-columns"
    CELL_TOO_LONG = "cell-too-long"
    FILE_NOT_UTF8 = "file-not-utf8"
    FILE_NOT_CSV = "file-not-csv"
    FILE_NOT_XLSX = "file-not-xlsx"
    XLSX_TOO_MANY_PARTS = "xlsx-too-many-parts"
    XLSX_UNPACKS_TOO_LARGE = "xlsx-unpacks-too-large"
    CELL_FORMULA = "cell-formula"
    CELL_ERROR = "cell-error"
    SEMICOLONS = "semicolons"
    MISSING_COLUMNS = "missing-columns"
    UNKNOWN_COLUMNS = "unknown-columns"
    DOUBLED_COLUMNS = "doubled-columns"
    ROW_WIDTH = "row-width"
    DEVICE_TWICE = "device-twice"
    SITE_TWICE = "site-twice"
    NOT_AN_ID = "not-an-id"
    RESERVED_ID = "reserved-id"
    ID_TAKEN = "id-taken"
    NOT_A_LABEL = "not-a-label"
    TOO_MANY_LABELS = "too-many-labels"
    NAME_EMPTY = "name-empty"
    NAME_TOO_LONG = "name-too-long"
    NAME_UNPRINTABLE = "name-unprintable"
    NAME_FORM = "name-form"
    NOT_DEGREES = "not-degrees"
    DECIMAL_COMMA = "decimal-comma"
    DEGREES_RANGE = "degrees-range"
    NOT_A_RATED_POWER = "not-a-rated-power"
    RATED_POWER_RANGE = "rated-power-range"
    NOT_A_COMMISSIONING = "not-a-commissioning"
    UNKNOWN_PROFILE = "unknown-profile"
    OTHER_PROFILE = "other-profile"
    CATALOGUE_CONTRADICTED = "catalogue-contradicted"
    TOWN_UNKNOWN = "town-unknown"
    TOWN_RETIRED = "town-retired"
    TOWN_IN_USE = "town-in-use"
    BOX_NOT_FINITE = "box-not-finite"
    BOX_FORM = "box-form"
    CENTRE_OUTSIDE = "centre-outside"
    POSITION_RANGE = "position-range"
    SITE_TAKEN = "site-taken"
    SITE_IN_OTHER_TOWN = "site-in-other-town"
    SITE_UNKNOWN = "site-unknown"
    SITE_RETIRED = "site-retired"
    SITE_IN_USE = "site-in-use"
    TOWN_OF_SITE_RETIRED = "town-of-site-retired"
    SITE_OUTSIDE_TOWN = "site-outside-town"
    NOT_A_WARD_HERE = "not-a-ward-here"
    WARDS_OVERLAP = "wards-overlap"
    DEVICE_TAKEN = "device-taken"
    DEVICE_IN_OTHER_TOWN = "device-in-other-town"
    DEVICE_RETIRED = "device-retired"
    DEVICE_OUT_OF_SERVICE = "device-out-of-service"
    CARRIES_AND_MOVES = "carries-and-moves"
    CARRIES_AND_RETIRES = "carries-and-retires"
    GRACE_RANGE = "grace-range"
    OWN_GATEWAY = "own-gateway"
    GATEWAY_UNKNOWN = "gateway-unknown"
    GATEWAY_NOT_IN_SERVICE = "gateway-not-in-service"
    GATEWAY_IN_OTHER_TOWN = "gateway-in-other-town"
    GATEWAY_CIRCLE = "gateway-circle"
    OWN_CABINET = "own-cabinet"
    CABINET_UNKNOWN = "cabinet-unknown"
    CABINET_RETIRED = "cabinet-retired"
    CABINET_IN_OTHER_TOWN = "cabinet-in-other-town"
    NO_CABINET = "no-cabinet"
    FEEDS_AND_MOVES = "feeds-and-moves"
    FEEDS_AND_RETIRES = "feeds-and-retires"
    NO_SUCH_TOWN = "no-such-town"
    NO_SUCH_SITE = "no-such-site"
    NO_SUCH_DEVICE = "no-such-device"
    NONE_IN_SERVICE = "none-in-service"
    CHANGED_MEANWHILE = "changed-meanwhile"
    CLAIM_CODE_MISREAD = "claim-code-misread"
    CLAIM_CODE_UNKNOWN = "claim-code-unknown"
    CLAIMED_DEVICE_RETIRED = "claimed-device-retired"
    CLAIMED_ALREADY = "claimed-already"
    KNOCKER_REGISTERED_ELSEWHERE = "knocker-registered-elsewhere"
    SITE_NOT_WHERE_IT_KNOCKED = "site-not-where-it-knocked"
    NO_SUCH_KNOCK = "no-such-knock"


REFUSAL_TEXTS: Final[Mapping[RefusalCode, Bilingual]] = {
    RefusalCode.NOTHING_IMPORTED: Bilingual(
        "không nhập gì: {faults} lỗi ở {rows} dòng",
        "nothing imported: {faults} faults in {rows} rows",
    ),
    RefusalCode.FILE_TYPE: Bilingual(
        "hãy gửi text/csv hoặc {other} làm Content-Type",
        "send text/csv or {other} as Content-Type",
    ),
    RefusalCode.IMPORT_RUNS: Bilingual(
        "đang có một tệp khác được nhập; hãy thử lại khi xong",
        "another import runs; try again when it has ended",
    ),
    RefusalCode.UPLOADS_BUSY: Bilingual(
        "đang có nhiều tệp khác được gửi lên; hãy thử lại khi xong",
        "other files are being sent; try again when they have arrived",
    ),
    RefusalCode.UPLOAD_SLOW: Bilingual(
        "tệp không đến kịp trong {seconds} giây",
        "the file did not arrive within {seconds} s",
    ),
    RefusalCode.UPLOAD_TOO_LARGE: Bilingual(
        "tệp được có tối đa {limit} byte; hãy chia nhỏ tệp",
        "the file may have at most {limit} bytes; split it",
    ),
    RefusalCode.IF_MATCH_NEEDED: Bilingual(
        "hãy gửi If-Match với ETag đã đọc, hoặc * để sửa bất kể đang có gì",
        "send If-Match with the ETag you read, or * to change whatever stands",
    ),
    RefusalCode.FILE_TOO_LARGE: Bilingual(
        "tệp có {bytes} byte, cho phép tối đa {limit}; hãy chia nhỏ tệp",
        "the file has {bytes} bytes; allowed: {limit}; split it",
    ),
    RefusalCode.TOO_MANY_ROWS: Bilingual(
        "có hơn {limit} dòng; hãy chia nhỏ tệp",
        "more than {limit} rows; split the file",
    ),
    RefusalCode.TOO_MANY_COLUMNS: Bilingual(
        "có {columns} cột, cho phép tối đa {limit}",
        "{columns} columns; allowed: {limit}",
    ),
    RefusalCode.CELL_TOO_LONG: Bilingual(
        "một ô có {characters} ký tự, cho phép tối đa {limit}",
        "a cell has {characters} characters; allowed: {limit}",
    ),
    RefusalCode.FILE_NOT_UTF8: Bilingual(
        "tệp không phải UTF-8; hãy lưu lại dưới dạng 'CSV UTF-8'",
        "the file is not UTF-8; save it as 'CSV UTF-8'",
    ),
    RefusalCode.FILE_NOT_CSV: Bilingual(
        "không đọc được như CSV, thường do dấu nháy kép không khép; trình đọc báo: {problem}",
        "not CSV: {problem}",
    ),
    RefusalCode.FILE_NOT_XLSX: Bilingual(
        "không đọc được như XLSX ({problem}); hãy lưu lại dưới dạng XLSX",
        "not an XLSX that can be read ({problem}); save it as XLSX anew",
    ),
    RefusalCode.XLSX_TOO_MANY_PARTS: Bilingual(
        "tệp XLSX có {parts} phần, cho phép tối đa {limit}",
        "the XLSX has {parts} parts; allowed: {limit}",
    ),
    RefusalCode.XLSX_UNPACKS_TOO_LARGE: Bilingual(
        "tệp XLSX giải nén ra hơn {limit} byte; hãy chia nhỏ tệp",
        "the XLSX unpacks to more than {limit} bytes; split it",
    ),
    RefusalCode.CELL_FORMULA: Bilingual(
        "một ô chứa công thức; hãy dán giá trị thay cho công thức",
        "a cell holds a formula; paste values instead",
    ),
    RefusalCode.CELL_ERROR: Bilingual(
        "một ô chứa lỗi {error} của bảng tính",
        "a cell holds the error {error}",
    ),
    RefusalCode.SEMICOLONS: Bilingual(
        "các cột cách nhau bằng dấu chấm phẩy; hãy dùng dấu phẩy",
        "columns are separated by semicolons; separate them by commas",
    ),
    RefusalCode.MISSING_COLUMNS: Bilingual(
        "thiếu cột: {columns}; các cột được dùng: {allowed}",
        "missing columns: {columns}; allowed: {allowed}",
    ),
    RefusalCode.UNKNOWN_COLUMNS: Bilingual(
        "cột không biết: {columns}; các cột được dùng: {allowed}",
        "unknown columns: {columns}; allowed: {allowed}",
    ),
    RefusalCode.DOUBLED_COLUMNS: Bilingual(
        "cột lặp lại: {columns}; các cột được dùng: {allowed}",
        "doubled columns: {columns}; allowed: {allowed}",
    ),
    RefusalCode.ROW_WIDTH: Bilingual(
        "dòng này có {fields} ô, dòng tiêu đề có {expected}",
        "the row has {fields} fields, the header {expected}",
    ),
    RefusalCode.DEVICE_TWICE: Bilingual(
        "'{device}' đã có ở dòng {first}",
        "'{device}' stands already on line {first}",
    ),
    RefusalCode.SITE_TWICE: Bilingual(
        "là {here!r}, nhưng vị trí '{site}' ở dòng {line} ghi {there!r}; một vị trí chỉ là một nơi",
        "{here!r}, but site '{site}' has {there!r} on line {line}; a site is one place",
    ),
    RefusalCode.NOT_AN_ID: Bilingual(
        "{given!r:.90} không phải mã hợp lệ; cho phép: 1 đến 63 chữ thường không dấu, chữ số và dấu gạch nối, bắt "
        "đầu bằng chữ hoặc số",
        "{given!r:.90} is not an id; allowed: 1 to 63 lower-case letters, digits and hyphens, starting with a "
        "letter or digit",
    ),
    RefusalCode.RESERVED_ID: Bilingual(
        "'{id}' là tên dành riêng của hệ thống trên broker; hãy dùng mã khác",
        "'{id}' is a name of the platform's own at the broker; take another id",
    ),
    RefusalCode.ID_TAKEN: Bilingual(
        "mã '{id}' đã có, có thể của thứ đã ngừng sử dụng; mã không bao giờ được dùng lại",
        "'{id}' is taken, perhaps by a retired one; ids are never reused",
    ),
    RefusalCode.NOT_A_LABEL: Bilingual(
        "{given!r:.120} không phải nhãn hợp lệ; cho phép: một từ gồm chữ thường, chữ số, '-', '_', '.', hoặc "
        "khoá=giá trị",
        "{given!r:.120} is no label; allowed: a word of lower-case letters, digits, '-', '_', '.', or key=value",
    ),
    RefusalCode.TOO_MANY_LABELS: Bilingual(
        "có {labels} nhãn, cho phép tối đa {limit}",
        "{labels} labels; allowed: {limit}",
    ),
    RefusalCode.NAME_EMPTY: Bilingual(
        "đang để trống; cần một tên cho người đọc",
        "is empty; a name for people is needed",
    ),
    RefusalCode.NAME_TOO_LONG: Bilingual(
        "có {characters} ký tự, cho phép tối đa {limit}",
        "has {characters} characters; allowed: {limit}",
    ),
    RefusalCode.NAME_UNPRINTABLE: Bilingual(
        "{given!r:.90} chứa ký tự điều khiển hoặc xuống dòng",
        "{given!r:.90} holds control characters or line breaks",
    ),
    RefusalCode.NAME_FORM: Bilingual(
        "phải có 1 đến {limit} ký tự in được",
        "must be 1 to {limit} characters that can be printed",
    ),
    RefusalCode.NOT_DEGREES: Bilingual(
        "{given!r:.40} không phải số độ từ -{limit} đến {limit}",
        "{given!r:.40} is not in degrees from -{limit} to {limit}",
    ),
    RefusalCode.DECIMAL_COMMA: Bilingual(
        "{given!r:.40} không phải số độ từ -{limit} đến {limit}; dấu thập phân là dấu chấm",
        "{given!r:.40} is not in degrees from -{limit} to {limit}; the decimal sign is a point",
    ),
    RefusalCode.DEGREES_RANGE: Bilingual(
        "phải nằm trong khoảng -{limit} đến {limit} độ",
        "must lie in -{limit} to {limit} degrees",
    ),
    RefusalCode.NOT_A_RATED_POWER: Bilingual(
        "{given!r:.40} không dùng được; cho phép: số oát lớn hơn 0 và không quá {limit}, hoặc để trống",
        "{given!r:.40} is not usable; allowed: watts above 0 and up to {limit}, or nothing",
    ),
    RefusalCode.RATED_POWER_RANGE: Bilingual(
        "cho phép: số oát lớn hơn 0 và không quá {limit}, hoặc để trống",
        "allowed: watts above 0 and up to {limit}, or nothing",
    ),
    RefusalCode.NOT_A_COMMISSIONING: Bilingual(
        "{given!r:.40} không dùng được; cho phép: một ngày như 2025-11-23 hoặc thời điểm có múi giờ như "
        "2025-11-23T07:00:00+07:00, trong các năm {first} đến {last}",
        "{given!r:.40} is not usable; allowed: a day such as 2025-11-23 or a time with offset such as "
        "2025-11-23T07:00:00+07:00, of the years {first} to {last}",
    ),
    RefusalCode.UNKNOWN_PROFILE: Bilingual(
        "'{profile}' không có trong danh mục hồ sơ thiết bị; cho phép: {allowed}",
        "'{profile}' is not in the catalogue; allowed: {allowed}",
    ),
    RefusalCode.OTHER_PROFILE: Bilingual(
        "'{device}' đã đăng ký với hồ sơ '{profile}'; phần cứng khác cần mã thiết bị khác",
        "'{device}' is registered as '{profile}'; other hardware needs another device id",
    ),
    RefusalCode.CATALOGUE_CONTRADICTED: Bilingual(
        "{datastreams} dòng dữ liệu đã lưu mâu thuẫn với danh mục; dòng dữ liệu của một hồ sơ chỉ được thêm, "
        "không bao giờ bị bỏ, dời, đổi tên hay đổi đại lượng, đơn vị hoặc cách quy đổi. Báo cho kỹ sư trực",
        "{datastreams} stored datastreams contradict the catalogue; datastreams of a profile are append-only, "
        "never removed, moved, renamed or given another property, unit or conversion:\n{shown}",
    ),
    RefusalCode.TOWN_UNKNOWN: Bilingual(
        "'{town}' không phải đô thị nào; cho phép: {allowed}",
        "'{town}' is not a town; allowed: {allowed}",
    ),
    RefusalCode.TOWN_RETIRED: Bilingual(
        "đô thị '{town}' đã ngừng sử dụng; cho phép: {allowed}",
        "'{town}' is retired; allowed: {allowed}",
    ),
    RefusalCode.TOWN_IN_USE: Bilingual(
        "còn {sites} vị trí đang dùng ở đó; hãy ngừng sử dụng chúng trước",
        "{sites} sites are in use there; retire those first",
    ),
    RefusalCode.BOX_NOT_FINITE: Bilingual(
        "phải là các số hữu hạn, tính bằng độ",
        "must be finite numbers, in degrees",
    ),
    RefusalCode.BOX_FORM: Bilingual(
        "phải là tây,nam,đông,bắc với -180 <= tây < đông <= 180, -90 <= nam < bắc <= 90",
        "must be west,south,east,north with -180 <= west < east <= 180, -90 <= south < north <= 90",
    ),
    RefusalCode.CENTRE_OUTSIDE: Bilingual(
        "tâm phải nằm trong khung của đô thị",
        "the centre must lie inside the town's box",
    ),
    RefusalCode.POSITION_RANGE: Bilingual(
        "phải từ 1 đến {limit}",
        "must be 1 to {limit}",
    ),
    RefusalCode.SITE_TAKEN: Bilingual(
        "mã '{site}' đã có; hãy đặt mã khác cho vị trí",
        "'{site}' is taken; give the site another id",
    ),
    RefusalCode.SITE_IN_OTHER_TOWN: Bilingual(
        "'{site}' thuộc đô thị '{town}'; hãy đặt mã khác cho vị trí",
        "'{site}' stands in town '{town}'; give the site another id",
    ),
    RefusalCode.SITE_UNKNOWN: Bilingual(
        "không có vị trí '{site}'; hãy tạo trước",
        "there is no site '{site}'; create it first",
    ),
    RefusalCode.SITE_RETIRED: Bilingual(
        "vị trí '{site}' đã ngừng sử dụng; hãy chọn vị trí khác, hoặc đưa nó trở lại trước",
        "'{site}' is retired; take another site, or bring it back first",
    ),
    RefusalCode.SITE_IN_USE: Bilingual(
        "còn {devices} thiết bị đang hoạt động ở đó; hãy chuyển hoặc ngừng sử dụng chúng trước",
        "{devices} devices in service stand there; move or retire them first",
    ),
    RefusalCode.TOWN_OF_SITE_RETIRED: Bilingual(
        "đô thị '{town}' của nó đã ngừng sử dụng; hãy đưa đô thị trở lại trước",
        "its town '{town}' is retired; bring that back first",
    ),
    RefusalCode.SITE_OUTSIDE_TOWN: Bilingual(
        "{latitude}, {longitude} nằm ngoài {town} (vĩ độ {south} đến {north}, kinh độ {west} đến {east}); kiểm "
        "tra xem hai số có bị đổi chỗ không",
        "{latitude}, {longitude} lies outside {town} (latitude {south} to {north}, longitude {west} to {east}); "
        "see whether the two are exchanged",
    ),
    RefusalCode.NOT_A_WARD_HERE: Bilingual(
        "'{ward}' không phải phường, xã của '{town}'; cho phép: {allowed}",
        "'{ward}' is no ward of '{town}'; allowed: {allowed}",
    ),
    RefusalCode.WARDS_OVERLAP: Bilingual(
        "'{ward}' và '{other}' có hiệu lực cùng lúc; chỉ khai một trong hai",
        "'{ward}' and '{other}' are in force at the same time; declare one of them",
    ),
    RefusalCode.DEVICE_TAKEN: Bilingual(
        "mã '{device}' đã có; hãy dùng mã khác",
        "'{device}' is taken; take another id",
    ),
    RefusalCode.DEVICE_IN_OTHER_TOWN: Bilingual(
        "'{device}' đã đăng ký ở đô thị '{town}'; nhập tệp không chuyển thiết bị giữa các đô thị",
        "'{device}' is registered in town '{town}'; an import moves no device between towns",
    ),
    RefusalCode.DEVICE_RETIRED: Bilingual(
        "'{device}' đã ngừng sử dụng, và mã không bao giờ được dùng lại; hãy dùng mã khác",
        "'{device}' is retired, and ids are never reused; take another id",
    ),
    RefusalCode.DEVICE_OUT_OF_SERVICE: Bilingual(
        "thiết bị đã ngừng sử dụng; hãy đưa nó trở lại trước",
        "it is retired; bring it back first",
    ),
    RefusalCode.CARRIES_AND_MOVES: Bilingual(
        "nó là gateway của {devices} thiết bị; hãy chuyển chúng hoặc tách chúng khỏi nó trước",
        "it is the gateway of {devices} devices; move them or take them off it first",
    ),
    RefusalCode.CARRIES_AND_RETIRES: Bilingual(
        "nó là gateway của {devices} thiết bị; hãy chuyển hoặc ngừng sử dụng chúng trước",
        "it is the gateway of {devices} devices; move them or retire them first",
    ),
    RefusalCode.GRACE_RANGE: Bilingual(
        "phải từ 0 đến {limit} giờ",
        "must be 0 to {limit}",
    ),
    RefusalCode.OWN_GATEWAY: Bilingual(
        "thiết bị không thể là gateway của chính nó; hãy để trống",
        "a device cannot be its own gateway; leave it empty",
    ),
    RefusalCode.GATEWAY_UNKNOWN: Bilingual(
        "'{gateway}' chưa đăng ký và cũng không có trong tệp này; hãy thêm một dòng cho nó",
        "'{gateway}' is neither registered nor in this file; add a row for it",
    ),
    RefusalCode.GATEWAY_NOT_IN_SERVICE: Bilingual(
        "không có thiết bị '{gateway}' nào đang hoạt động",
        "there is no device '{gateway}' in service",
    ),
    RefusalCode.GATEWAY_IN_OTHER_TOWN: Bilingual(
        "'{gateway}' ở đô thị '{elsewhere}', còn thiết bị ở '{town}'",
        "'{gateway}' is in town '{elsewhere}', the device in '{town}'",
    ),
    RefusalCode.GATEWAY_CIRCLE: Bilingual(
        "'{device}' sẽ đứng sau chính nó: {way}",
        "'{device}' would stand behind itself: {way}",
    ),
    RefusalCode.OWN_CABINET: Bilingual(
        "thiết bị không thể tự cấp điện cho chính nó; hãy để trống",
        "a device cannot feed itself; leave it empty",
    ),
    RefusalCode.CABINET_UNKNOWN: Bilingual(
        "tủ '{cabinet}' chưa đăng ký; hãy đăng ký tủ trước, trong tệp thì thêm một dòng cho nó",
        "'{cabinet}' is not registered; register the cabinet first, in a file by a row for it",
    ),
    RefusalCode.CABINET_RETIRED: Bilingual(
        "'{cabinet}' đã ngừng sử dụng; hãy ghi một tủ đang hoạt động",
        "'{cabinet}' is retired; name a cabinet in service",
    ),
    RefusalCode.CABINET_IN_OTHER_TOWN: Bilingual(
        "tủ '{cabinet}' ở đô thị '{elsewhere}', còn thiết bị ở '{town}'",
        "the cabinet '{cabinet}' is in town '{elsewhere}', the device in '{town}'",
    ),
    RefusalCode.NO_CABINET: Bilingual(
        "'{device}' không phải tủ mà là '{profile}'; cho phép: thiết bị có hồ sơ {allowed}",
        "'{device}' is no cabinet but '{profile}'; allowed: a device of profile {allowed}",
    ),
    RefusalCode.FEEDS_AND_MOVES: Bilingual(
        "nó cấp điện cho {devices} thiết bị; hãy ghi tủ khác cho chúng trước",
        "it feeds {devices} devices; give them another cabinet first",
    ),
    RefusalCode.FEEDS_AND_RETIRES: Bilingual(
        "nó cấp điện cho {devices} thiết bị; hãy ghi tủ khác cho chúng hoặc ngừng sử dụng chúng trước",
        "it feeds {devices} devices; give them another cabinet or retire them first",
    ),
    RefusalCode.NO_SUCH_TOWN: Bilingual(
        "không có đô thị '{id}' ở nơi bạn được xem",
        "there is no town '{id}'",
    ),
    RefusalCode.NO_SUCH_SITE: Bilingual(
        "không có vị trí '{id}' ở nơi bạn được xem",
        "there is no site '{id}'",
    ),
    RefusalCode.NO_SUCH_DEVICE: Bilingual(
        "không có thiết bị '{id}' ở nơi bạn được xem",
        "there is no device '{id}'",
    ),
    RefusalCode.NONE_IN_SERVICE: Bilingual(
        "không có thiết bị như vậy đang hoạt động",
        "there is no such device in service",
    ),
    RefusalCode.CHANGED_MEANWHILE: Bilingual(
        "'{id}' vừa bị người khác sửa (phiên bản {stored}, không phải {given}); hãy đọc lại",
        "'{id}' was changed since (version {stored}, not {given}); read it again",
    ),
    RefusalCode.CLAIM_CODE_MISREAD: Bilingual(
        "không phải mã trên nhãn: mã có mười chữ cái và chữ số, có ký tự đọc sai; xem lại nhãn rồi gõ lại",
        "this is no claim code: ten letters and digits; one of them was misread",
    ),
    RefusalCode.CLAIM_CODE_UNKNOWN: Bilingual(
        "không có thiết bị nào mang mã này; có thể nhãn đã được thay, hãy in lại nhãn",
        "there is no device with this claim code; perhaps its label was replaced",
    ),
    RefusalCode.CLAIMED_DEVICE_RETIRED: Bilingual(
        "'{device}' đã ngừng sử dụng",
        "'{device}' is retired",
    ),
    RefusalCode.CLAIMED_ALREADY: Bilingual(
        "'{device}' đã được {by} nhận lúc {when}; hãy xin mã mới để nhận lại",
        "'{device}' was claimed by {by} at {when}; ask for a new code to claim it again",
    ),
    RefusalCode.KNOCKER_REGISTERED_ELSEWHERE: Bilingual(
        "mã này đã đăng ký ở đô thị khác; nhờ người có quyền ở cả hai nơi chuyển thiết bị sang",
        "this id is registered in another town; move it from there instead",
    ),
    RefusalCode.SITE_NOT_WHERE_IT_KNOCKED: Bilingual(
        "'{site}' không thuộc '{town}', nơi thiết bị gọi đến",
        "'{site}' is not in '{town}', where the device knocked",
    ),
    RefusalCode.NO_SUCH_KNOCK: Bilingual(
        "không có thiết bị '{device}' nào gọi đến ở '{town}'",
        "no device '{device}' knocked in '{town}'",
    ),
}
