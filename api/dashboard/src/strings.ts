import { ADMIN_STRINGS } from "./strings_admin";
import { INSTALL_STRINGS } from "./strings_install";
import type { Bilingual } from "./types";

/** Every text of the page, in Vietnamese and English. `{x}` is filled in by `t`. */
export const STRINGS = {
  ...INSTALL_STRINGS,
  ...ADMIN_STRINGS,

  title: { vi: "Thu Bồn · Giám sát vận hành", en: "Thu Bồn · Operations" },
  subtitle: { vi: "Giám sát vận hành đô thị", en: "City operations" },
  language: { vi: "Ngôn ngữ", en: "Language" },
  skip: { vi: "Đến danh sách thiết bị", en: "Skip to the device list" },
  townSwitch: { vi: "Đô thị", en: "Town" },
  allTowns: { vi: "Tất cả", en: "All" },
  theme: { vi: "Đổi nền sáng / tối", en: "Switch light / dark" },
  logIn: { vi: "Đăng nhập", en: "Log in" },
  logOut: { vi: "Đăng xuất", en: "Log out" },

  liveConnecting: { vi: "Đang kết nối…", en: "Connecting…" },
  liveConnected: { vi: "Trực tiếp", en: "Live" },
  liveCut: { vi: "Mất kết nối", en: "Connection lost" },
  lastChange: { vi: "thay đổi {age} trước", en: "last change {age} ago" },
  noChange: { vi: "chưa có thay đổi", en: "no change yet" },
  cutBanner: {
    vi: "Mất kết nối trực tiếp từ {time} ({age}). Số liệu dưới đây là số liệu cũ và không tự cập nhật; đang thử kết nối lại.",
    en: "Live connection lost since {time} ({age}). What you see is old and does not update; reconnecting.",
  },
  openBanner: {
    vi: "Chế độ trình diễn, không đăng nhập: ai mở được địa chỉ này cũng xem được.",
    en: "Demonstration mode, no log-in: whoever reaches this address can read it.",
  },
  loadFailed: {
    vi: "Không tải được dữ liệu từ máy chủ: {detail}. Đang thử lại.",
    en: "Could not load from the server: {detail}. Trying again.",
  },
  noAnswer: { vi: "máy chủ không trả lời", en: "the server does not answer" },
  loading: { vi: "Đang tải…", en: "Loading…" },

  loginTitle: { vi: "Đăng nhập", en: "Log in" },
  loginHelp: {
    vi: "Dùng tài khoản do người quản trị hệ thống cấp.",
    en: "Use the account given by the system's administrator.",
  },
  userName: { vi: "Tên đăng nhập", en: "User name" },
  password: { vi: "Mật khẩu", en: "Password" },
  loginOpenId: { vi: "Đăng nhập bằng tài khoản của thành phố", en: "Log in with the city's account" },
  loginButton: { vi: "Đăng nhập", en: "Log in" },
  loginWrong: { vi: "Tên hoặc mật khẩu không đúng.", en: "The name or the password is wrong." },
  loginWait: {
    vi: "Đăng nhập sai quá nhiều lần. Chờ một phút rồi thử lại.",
    en: "Too many failed logins. Wait a minute and try again.",
  },
  loginFailed: { vi: "Chưa đăng nhập được: {detail}.", en: "Could not log in: {detail}." },

  overviewTitle: { vi: "Tổng quan đô thị", en: "Towns at a glance" },
  devicesCount: { vi: "{n} thiết bị", en: "{n} devices" },
  noValue: { vi: "không có số liệu", en: "no data" },
  reasonNoCurrent: { vi: "không có số đo hiện thời", en: "no current observation" },
  reasonNoDatastream: { vi: "không có thiết bị đo đại lượng này", en: "no device measures this" },
  fromOf: { vi: "từ {n}/{of} điểm đo", en: "from {n} of {of} datastreams" },
  ageSpan: { vi: "Tuổi của số đo: {newest} đến {oldest}", en: "Age of the observations: {newest} to {oldest}" },
  howSum: { vi: "tổng các số đo hiện thời", en: "sum of current observations" },
  howMean: { vi: "trung bình các số đo hiện thời", en: "mean of current observations" },
  howMax: { vi: "lớn nhất trong các số đo hiện thời", en: "highest of current observations" },
  howRate: {
    vi: "tổng xe của kỳ mới nhất ở mọi bộ đếm, quy ra một giờ",
    en: "vehicles of the newest period over all counters, as an hourly rate",
  },
  howSpeed: {
    vi: "trung bình tốc độ hiện thời, mỗi bộ đếm như nhau",
    en: "mean of current speeds, each counter weighing the same",
  },
  howLit: { vi: "số đèn đang báo sáng", en: "lamps that now report being lit" },
  howPower: { vi: "tổng công suất hiện thời của các tủ", en: "sum of the cabinets' current power" },
  howEnergetic: { vi: "trung bình năng lượng các số đo hiện thời", en: "energetic mean of current observations" },

  "state.online": { vi: "Trực tuyến", en: "Online" },
  "state.stale": { vi: "Số liệu cũ", en: "Stale" },
  "state.offline": { vi: "Mất liên lạc", en: "Offline" },
  "state.never-seen": { vi: "Chưa gửi", en: "Never seen" },
  "state.retired": { vi: "Ngừng sử dụng", en: "Retired" },
  stateFrozen: {
    vi: "Trạng thái lúc mất kết nối trực tiếp; hiện giờ chưa biết.",
    en: "As it was when the live connection was lost; how it is now is not known.",
  },
  "stateHelp.online": { vi: "Số đo đến đúng chu kỳ.", en: "Observations arrive on schedule." },
  "stateHelp.stale": {
    vi: "Quá 3 chu kỳ báo cáo chưa có số đo mới. Chưa chắc thiết bị đã hỏng: kiểm tra đường truyền trước.",
    en: "Nothing newer for over 3 reporting intervals. Not necessarily a fault: check its line first.",
  },
  "stateHelp.offline": {
    vi: "Thiết bị báo mất kết nối hoặc im lặng đã lâu. Kiểm tra nguồn điện, SIM/mạng tại vị trí rồi cử người.",
    en: "It reported offline or has long been silent. Check power and network at the site, then send someone.",
  },
  "stateHelp.never-seen": {
    vi: "Đã đăng ký nhưng chưa gửi gì. Kiểm tra mã thiết bị, chủ đề MQTT và tài khoản khi lắp đặt.",
    en: "Registered but has sent nothing. Check device id, MQTT topic and account at the installation.",
  },
  "stateHelp.retired": { vi: "Đã ngừng sử dụng.", en: "Out of service." },

  "domain.traffic": { vi: "Giao thông", en: "Traffic" },
  "domain.lighting": { vi: "Chiếu sáng", en: "Lighting" },
  "domain.environment": { vi: "Môi trường", en: "Environment" },
  domain: { vi: "Lĩnh vực", en: "Domain" },
  state: { vi: "Trạng thái", en: "State" },
  anyDomain: { vi: "Mọi lĩnh vực", en: "All domains" },
  anyState: { vi: "Mọi trạng thái", en: "All states" },

  mapTitle: { vi: "Bản đồ thiết bị", en: "Device map" },
  mapHelp: {
    vi: "Bản đồ chỉ để xem; mọi thiết bị trên bản đồ đều có trong danh sách bên cạnh.",
    en: "The map is a picture; every device on it also stands in the list beside it.",
  },
  mapNote: {
    vi: "Bờ biển, sông: GSHHG (LGPL-3), lệch khoảng 300–500 m, không dùng ở mức đường phố. Ranh giới minh hoạ (vietnamadminunits, MIT).",
    en: "Shore and rivers: GSHHG (LGPL-3), 300–500 m off, not for street level. Outlines are illustrations (vietnamadminunits, MIT).",
  },
  sea: { vi: "Biển Đông", en: "East Sea" },
  zoomIn: { vi: "Phóng to", en: "Zoom in" },
  zoomOut: { vi: "Thu nhỏ", en: "Zoom out" },
  legend: { vi: "Chú giải", en: "Legend" },

  tableTitle: { vi: "Thiết bị", en: "Devices" },
  tableHelp: {
    vi: "Phím mũi tên để di chuyển, Enter để xem chi tiết.",
    en: "Arrow keys move, Enter shows details.",
  },
  search: { vi: "Tìm tên, mã, vị trí…", en: "Search name, id, site…" },
  showing: { vi: "{n} / {all} thiết bị", en: "{n} of {all} devices" },
  noMatch: { vi: "Không có thiết bị nào khớp bộ lọc.", en: "No device matches the filter." },
  clearFilter: { vi: "Bỏ lọc", en: "Clear filter" },
  colDevice: { vi: "Thiết bị", en: "Device" },
  colValue: { vi: "Số đo chính", en: "Main value" },
  colAge: { vi: "Cách đây", en: "Age" },

  situationTitle: { vi: "Tình hình", en: "Situation" },
  rankedSites: { vi: "Điểm đo, xấu nhất trước", en: "Sites, worst first" },
  siteFigures: { vi: "Đánh giá tại vị trí", en: "What it means at this site" },
  moreFigures: { vi: "thêm {n} chỉ số", en: "{n} more figures" },
  indicative: { vi: "tham khảo", en: "indicative" },
  coverage: { vi: "độ phủ {n} %", en: "coverage {n} %" },
  "obtained.observed": { vi: "Số đo", en: "Observed" },
  "obtained.window-statistics": { vi: "Thống kê theo cửa sổ", en: "Window statistics" },
  "obtained.index": { vi: "Chỉ số", en: "Index" },
  "severity.-1": { vi: "chưa đánh giá được", en: "nothing can be said" },
  "severity.0": { vi: "bình thường", en: "normal" },
  "severity.1": { vi: "chú ý", en: "notice" },
  "severity.2": { vi: "cảnh báo", en: "warning" },
  "severity.3": { vi: "báo động", en: "alarm" },
  "severity.4": { vi: "khẩn cấp", en: "emergency" },

  problemsTitle: { vi: "Cần xử lý", en: "Needs attention" },
  problemsNone: {
    vi: "Không có thiết bị nào cần xử lý.",
    en: "No device needs attention.",
  },
  watersTitle: { vi: "Mực nước các trạm", en: "Water levels" },
  perPeriod: { vi: "{unit} trong {period}", en: "{unit} in {period}" },
  vehicles: { vi: "xe", en: "vehicles" },
  faultFlag: { vi: "Tự báo lỗi", en: "Reports a fault" },
  problemsMore: { vi: "và {n} thiết bị khác, xem danh sách", en: "and {n} more, see the list" },
  pickDevice: {
    vi: "Chọn thiết bị trên bản đồ hoặc trong danh sách để xem số đo.",
    en: "Pick a device on the map or in the list to see its values.",
  },

  close: { vi: "Đóng chi tiết", en: "Close detail" },
  profile: { vi: "Hồ sơ", en: "Profile" },
  interval: { vi: "Chu kỳ", en: "Interval" },
  site: { vi: "Vị trí", en: "Site" },
  received: { vi: "Nhận lần cuối", en: "Last received" },
  never: { vi: "chưa bao giờ", en: "never" },
  valuesTitle: { vi: "Số đo hiện thời", en: "Current values" },
  colProperty: { vi: "Đại lượng", en: "Property" },
  colValueUnit: { vi: "Giá trị", en: "Value" },
  colObserved: { vi: "Lúc đo", en: "Observed" },
  staleValue: { vi: "cũ", en: "stale" },
  noValuesYet: { vi: "Thiết bị chưa có số đo nào.", en: "The device has no values yet." },
  showChart: { vi: "Xem biểu đồ {name}", en: "Chart {name}" },
  quality1: { vi: "hiệu chuẩn", en: "calibrating" },
  quality2: { vi: "báo lỗi", en: "fault" },
  quality4: { vi: "ngoài khoảng thường gặp", en: "outside the expected range" },
  quality8: { vi: "nhảy vọt", en: "spike" },
  quality16: { vi: "đứng yên", en: "stuck" },
  quality32: { vi: "kẹt ở ngưỡng đo", en: "flat-lined at a bound" },
  quality64: { vi: "đồng hồ sai", en: "clock skew" },
  qualityHelp: {
    vi: "Giá trị do thiết bị báo hiệu chuẩn hoặc lỗi, nhảy vọt hay đứng yên không tính vào trung bình.",
    en: "Values that the device calls calibrating or faulty, spikes and stuck ones are left out of means.",
  },

  chartTitle: { vi: "Diễn biến", en: "Course" },
  range: { vi: "Khoảng thời gian", en: "Time range" },
  "range.1": { vi: "1 giờ", en: "1 h" },
  "range.24": { vi: "24 giờ", en: "24 h" },
  "range.168": { vi: "7 ngày", en: "7 d" },
  chartRaw: { vi: "số đo gốc", en: "raw observations" },
  chartMean: { vi: "trung bình {window}, dải thấp nhất–cao nhất", en: "{window} means, band lowest to highest" },
  chartNone: { vi: "Không có số đo nào trong khoảng này.", en: "No observation in this range." },
  chartSummary: {
    vi: "{name}: {n} điểm, thấp nhất {min}, cao nhất {max}, mới nhất {last} {unit}",
    en: "{name}: {n} points, lowest {min}, highest {max}, newest {last} {unit}",
  },
  chartCut: { vi: "chỉ hiện {n} số đo đầu", en: "only the first {n} observations shown" },
  flaggedPoints: { vi: "điểm gắn cờ", en: "flagged" },

  rejectionsTitle: { vi: "Số đọc bị từ chối", en: "Refused readings" },
  rejectionsNone: { vi: "Không có số đọc nào bị từ chối.", en: "Nothing was refused." },
  rejectionsCount: { vi: "{n} lần gần nhất", en: "latest {n}" },
  failedPart: { vi: "Không tải được: {detail}.", en: "Could not load: {detail}." },
  readingsRefused: { vi: "{n} số đọc", en: "{n} readings" },

  // Ages; the short ones stand in tables.
  "age.now": { vi: "vừa xong", en: "now" },
  "age.s": { vi: "{n} giây", en: "{n} s" },
  "age.min": { vi: "{n} phút", en: "{n} min" },
  "age.h": { vi: "{n} giờ", en: "{n} h" },
  "age.d": { vi: "{n} ngày", en: "{n} d" },
} as const satisfies Record<string, Bilingual>;

export type StringKey = keyof typeof STRINGS;

/** UCUM codes as people write them; a code that is not here is shown as it is. */
export const UNITS: Record<string, Bilingual | string> = {
  "1": "",
  Cel: "°C",
  "ug/m3": "µg/m³",
  "mg/m3": "mg/m³",
  "m3/s": "m³/s",
  "W/m2": "W/m²",
  deg: "°",
  "dB[SPL]": "dB(A)",
  "dB{mW}": "dBm",
  "kW.h": "kWh",
  "W.h": "Wh",
  "[ppm]": "ppm",
  "[ppb]": "ppb",
  h: { vi: "giờ", en: "h" },
  min: { vi: "phút", en: "min" },
  s: { vi: "giây", en: "s" },
  "/h": { vi: "/giờ", en: "/h" },
};

/** Enumerations: observed property to the words of its numbers. */
export const WORDS: Record<string, Record<number, Bilingual>> = {
  "lamp-state": {
    0: { vi: "tắt", en: "off" },
    1: { vi: "sáng", en: "on" },
    2: { vi: "sáng yếu", en: "low" },
    3: { vi: "đang khởi động", en: "booting up" },
  },
  "lamp-failure": { 0: { vi: "không", en: "no" }, 1: { vi: "có", en: "yes" } },
  "door-open": { 0: { vi: "đóng", en: "closed" }, 1: { vi: "mở", en: "open" } },
  "cabinet-mode": {
    0: { vi: "tự động", en: "automatic" },
    1: { vi: "thủ công", en: "manual" },
    2: { vi: "bán tự động", en: "semi-automatic" },
    3: { vi: "bảo trì", en: "maintenance" },
  },
  "circuit-state": { 0: { vi: "ngắt", en: "off" }, 1: { vi: "đóng", en: "on" } },
};
