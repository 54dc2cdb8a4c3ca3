"""What an installer does with the page: take in a device that knocks, turn one away, claim one by its label."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from devices.registry_file import COLUMNS
from tests.browser.conftest import NEVER_SEEN
from tests.integration.api.conftest import make_settings

if TYPE_CHECKING:
    from playwright.async_api import Page

    from api.settings import ApiSettings
    from tests.browser.conftest import Enter
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

KNOCKER, OTHER = "hoi-an-new-1", "hoi-an-new-2"


@pytest.fixture
def settings(database: Database, seed: Seed) -> ApiSettings:
    """Settings of an API that asks for a log-in; two devices knock."""
    for device in (KNOCKER, OTHER):
        seed.execute(
            "insert into knock (device_id, town_id, reason, first_time, last_time, messages, readings, topic, sample)"
            " values (%s, 'hoi-an', 'unknown-device', now() - interval '1 hour', now(), 7, 14, %s, %s)",
            [device, f"thubon/v1/hoi-an/{device}/telemetry", b'{"pm25": 31.2, "no2": 12}'],
        )
    return make_settings(database.read_url, database_url=database.api_url)


async def claim(page: Page, code: str) -> None:
    """As a scanner that types does it."""
    await page.locator("#claim-code").fill(code)
    await page.keyboard.press("Enter")


async def test_a_device_that_knocks_is_shown_with_what_it_sent_and_taken_in(enter: Enter, seed: Seed) -> None:
    page = await enter("engineer")
    await page.locator("#open-install").click()
    item = page.locator(f"[data-knock={KNOCKER}]")
    await expect(item).to_contain_text("7 bản tin, 14 số đọc")
    await expect(item).to_contain_text("Trạm không khí (2/2)")
    await item.locator("summary").click()
    await expect(item.locator("pre")).to_have_text('{"pm25": 31.2, "no2": 12}')

    await item.locator(f"#knock-accept-{KNOCKER}").click()
    prefix = f"#accept-{KNOCKER}"
    await expect(page.locator(f"{prefix}-profile")).to_have_value("air-station")
    await page.locator(f"{prefix}-site-search").fill("noi hoi-an-air-1")
    await expect(page.locator(f"{prefix}-site")).to_have_value("site-hoi-an-air-1")
    await page.locator(f"{prefix}-name").fill("Trạm mới")
    await item.locator("button[type=submit]").click()

    # It stands before the installer with the steps to come.
    await expect(page.locator("#progress")).to_have_attribute("data-device", KNOCKER)
    await expect(page.locator("#progress")).to_have_attribute("data-step", "created")
    rows = seed.connection.execute("select profile, name from device where device_id = %s", [KNOCKER]).fetchall()
    assert rows == [("air-station", "Trạm mới")]
    await page.locator("#install [data-part=knocks]").click()
    await expect(page.locator(f"[data-knock={OTHER}]")).to_be_visible()
    await expect(item).to_have_count(0)


async def test_a_device_is_turned_away_at_the_second_press_and_can_be_heard_again(enter: Enter, seed: Seed) -> None:
    page = await enter("engineer")
    await page.locator("#open-install").click()
    item = page.locator(f"[data-knock={OTHER}]")
    await item.locator(f"#knock-refuse-{OTHER}").click()
    await expect(item.locator(f"#knock-refuse-{OTHER}")).to_have_text("Bấm lần nữa để từ chối")
    await item.locator(f"#knock-refuse-{OTHER}").click()
    await expect(item).to_have_count(0)
    assert seed.connection.execute("select refused_by from knock where device_id = %s", [OTHER]).fetchone() == (
        "an.nguyen",
    )
    await page.locator("#knock-refused").check()
    await expect(item).to_contain_text("an.nguyen")
    await item.locator(f"#knock-forgive-{OTHER}").click()
    await expect(item).to_have_count(0)
    await page.locator("#knock-refused").uncheck()
    await expect(item).to_be_visible()


async def test_a_new_device_gets_a_label_is_claimed_by_it_and_its_first_reading_is_seen_live(
    enter: Enter, seed: Seed
) -> None:
    page = await enter("engineer")
    await page.locator("#open-install").click()
    await page.locator("#install [data-part=new]").click()
    await page.locator("#new-id").fill("hoi-an-gauge-1")
    await page.locator("#new-profile").select_option("river-gauge")
    await page.locator("#new-name").fill("Thước nước mới")
    await page.locator("#new-site").select_option("+")
    await page.locator("#new-site-id").fill("hoi-an-an-hoi")
    await page.locator("#new-site-name").fill("Cầu An Hội")
    await page.get_by_label("Vĩ độ").fill("15.8766")
    await page.get_by_label("Kinh độ").fill("108.3259")
    await page.locator("#new-device button[type=submit]").click()
    await expect(page.locator("#new-device-error")).to_contain_text("Mã 'hoi-an-gauge-1' đã có")
    # The site was made; what is sent again stands on it.
    await expect(page.locator("#new-site")).to_have_value("hoi-an-an-hoi")
    await page.locator("#new-id").fill("hoi-an-gauge-7")
    await page.locator("#new-device button[type=submit]").click()

    await expect(page.locator("#progress")).to_have_attribute("data-step", "created")
    await page.locator("#show-label").click()
    label = page.locator("#label-sheet section")
    await expect(label).to_contain_text("hoi-an-gauge-7")
    await expect(label.locator("svg")).to_be_visible()
    await expect(page.locator("#progress")).to_have_attribute("data-step", "labelled")
    first = await label.locator(".code").inner_text()
    await page.locator("#new-code").click()
    await page.locator("#new-code").click()
    await expect(label.locator(".code")).not_to_have_text(first)
    code = await label.locator(".code").inner_text()

    # The old label is void, a misread one is noticed, and the scanner's text is understood.
    await claim(page, first)
    await expect(page.locator("#claim-error")).to_contain_text("Không có thiết bị nào mang mã này")
    await claim(page, "0000-0000-01")
    await expect(page.locator("#claim-error")).to_contain_text("Mã trên nhãn: không phải mã trên nhãn")
    await claim(page, "THUBON:" + code.replace("-", "").lower())
    await expect(page.locator("#claim-user")).to_have_text("hoi-an-gauge-7")
    await expect(page.locator("#claim-password")).to_have_text(re.compile(r"^\S{16,}$"))
    await expect(page.locator("#progress")).to_have_attribute("data-step", "claimed")
    await claim(page, code)
    await expect(page.locator("#claim-error")).to_contain_text("an.nguyen đã nhận thiết bị này lúc")

    # Its first message is refused, and the page says why; the second is stored.
    seed.reject("hoi-an-gauge-7", b"{", device_id="hoi-an-gauge-7", reason="unknown-datastream")
    await expect(page.locator("#progress")).to_have_attribute("data-step", "heard")
    await expect(page.locator("#progress [data-reason=unknown-datastream] .cure")).to_be_visible()
    seed.know("hoi-an-gauge-7", "river-gauge")
    seed.observe("hoi-an-gauge-7", datetime.now(UTC), {"water-level": 1.1})
    await expect(page.locator("#progress")).to_have_attribute("data-step", "done")
    await expect(page.locator("#progress [data-reason]")).to_have_count(0)
    await page.locator("#look-at-device").click()
    await expect(page.locator("#install")).to_be_hidden()
    await expect(page.locator("#detail")).to_have_attribute("data-device", "hoi-an-gauge-7")


async def test_an_operator_sees_who_knocks_and_decides_nothing(enter: Enter) -> None:
    page = await enter("operator")
    await page.locator("#open-install").click()
    await expect(page.locator(f"[data-knock={KNOCKER}]")).to_contain_text("cần vai trò kỹ sư")
    await expect(page.locator(".knock button")).to_have_count(0)
    await expect(page.locator("#install [data-part]")).to_have_text(["Thiết bị lạ", "Tại cột"])
    await page.locator("#install [data-part=pole]").click()
    await expect(page.locator("#claim")).to_have_count(0)
    await page.locator("#watch-id").fill(NEVER_SEEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#progress .form-error")).to_contain_text("ở nơi bạn được xem")
    await page.keyboard.press("Escape")
    await expect(page.locator("#install")).to_be_hidden()


async def test_a_viewer_sees_none_of_it(enter: Enter) -> None:
    page = await enter("viewer")
    await expect(page.locator("#log-out")).to_be_visible()  # the roles are known by then
    await expect(page.locator(".work button")).to_have_count(0)
    await expect(page.locator("dialog.sheet")).to_have_count(0)


async def test_a_file_of_many_is_tried_first_and_imported_when_nothing_in_it_is_wrong(enter: Enter, seed: Seed) -> None:
    page = await enter("engineer")
    await page.locator("#open-install").click()
    await page.locator("#install [data-part=new]").click()
    await page.locator("#import-open").click()
    lamp = {"town": "hoi-an", "site": "hoi-an-street", "site_name": "Bạch Đằng", "site_kind": "pole",
            "latitude": "15.876", "longitude": "108.328", "profile": "lamp-controller", "name": "Đèn"}  # fmt: skip
    rows = [",".join(({"device": f"hoi-an-lamp-{n}"} | lamp).get(name, "") for name in COLUMNS) for n in (1, 2)]

    async def attempt(*lines: str) -> None:
        content = "\n".join([",".join(COLUMNS), *lines, ""]).encode()
        await page.locator("#import-file").set_input_files({"name": "m.csv", "mimeType": "text/csv", "buffer": content})
        await page.locator("#import button[type=submit]").click()

    report, go = page.locator("#import-report"), page.locator("#import-go")
    await attempt(rows[0], rows[1].replace("lamp-controller", "lamp"))
    await expect(report.locator("tbody tr")).to_have_count(1)
    await expect(report.locator("tbody tr")).to_contain_text("'lamp' không có trong danh mục hồ sơ thiết bị")
    await expect(report.locator("tbody td").first).to_have_text("3")
    await expect(go).to_be_disabled()
    await attempt(*rows)
    await expect(report).to_contain_text("Nếu nhập: thiết bị 2 mới")
    await go.click()
    await expect(report).to_contain_text("Đã nhập: thiết bị 2 mới")
    stored = seed.connection.execute("select device_id from device where device_id like 'hoi-an-lamp-%' order by 1")
    assert stored.fetchall() == [("hoi-an-lamp-1",), ("hoi-an-lamp-2",)]


async def test_what_is_refused_is_said_in_vietnamese_and_after_the_switch_in_english(enter: Enter) -> None:
    page = await enter("engineer")
    row = dict.fromkeys(COLUMNS, "")
    row |= {"device": "hoi-an-x-1", "town": "hoi-an", "site": "hoi-an-x", "site_name": "X", "site_kind": "pole",
            "latitude": "15,876", "longitude": "108.328", "profile": "lamp", "name": "X"}  # fmt: skip
    cells = ",".join(f'"{cell}"' for cell in row.values())
    content = f"{','.join(COLUMNS)}\n{cells}\n".encode()
    bad_file = {"name": "bad.csv", "mimeType": "text/csv", "buffer": content}

    async def refused() -> tuple[list[str], str]:
        await page.locator("#open-install").click()
        await page.locator("#install [data-part=new]").click()
        await page.locator("#new-profile").select_option("air-station")
        await page.locator("#new-name").fill(" ")
        await page.locator("#new-id").fill("hoi-an-x-1")
        await page.locator("#new-site-search").fill("noi hoi-an-air-1")
        await expect(page.locator("#new-site")).to_have_value("site-hoi-an-air-1")
        await page.locator("#new-device button[type=submit]").click()
        await expect(page.locator("#new-device-error")).not_to_be_empty()
        await page.locator("#import-open").click()
        await page.locator("#import-file").set_input_files(bad_file)
        await page.locator("#import button[type=submit]").click()
        rows = page.locator("#import-report tbody tr td:last-child")
        await expect(rows).to_have_count(2)
        return await rows.all_inner_texts(), await page.locator("#new-device-error").inner_text()

    rows, field = await refused()
    assert rows[0] == "'15,876' không phải số độ từ -90 đến 90; dấu thập phân là dấu chấm"
    assert rows[1].startswith("'lamp' không có trong danh mục hồ sơ thiết bị; cho phép: ")
    assert field == "Tên gọi: phải có ít nhất 1 ký tự."
    await page.keyboard.press("Escape")
    await page.locator("[data-language=en]").click()
    rows, field = await refused()
    assert rows[0] == "'15,876' is not in degrees from -90 to 90; the decimal sign is a point"
    assert rows[1].startswith("'lamp' is not in the catalogue; allowed: ")
    assert field == "Name: must have 1 or more characters."
