"""What an operator does with the page, done by a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.browser.conftest import AIR, COUNTER, GAUGE, NEVER_SEEN, OFFLINE, RETIRED, STALE, all_items, load
from tests.integration.api.conftest import make_settings, serve
from tests.integration.api.people import PASSWORD, add_account

if TYPE_CHECKING:
    import httpx
    from playwright.async_api import Page

    from api.settings import ApiSettings
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed

TWO_SECONDS_MS = 2000


async def test_the_page_loads_live_says_that_it_is_open_and_complains_of_nothing(screen: Page) -> None:
    await expect(screen.locator("html")).to_have_attribute("lang", "vi")
    await expect(screen).to_have_title(re.compile("Thu Bồn"))
    await expect(screen.locator("#banner-open")).to_contain_text("không đăng nhập")
    await expect(screen.locator("#banner-cut")).to_be_hidden()
    await expect(screen.locator("#town-switch button")).to_have_text(["Tất cả", "Tam Kỳ", "Hội An", "Điện Bàn"])
    await expect(screen.locator("#map canvas").first).to_be_visible()


async def test_the_language_changes_and_is_remembered(screen: Page) -> None:
    await expect(screen.locator("#table-title")).to_have_text("Thiết bị")
    await screen.locator("[data-language=en]").click()
    await expect(screen.locator("html")).to_have_attribute("lang", "en")
    await expect(screen.locator("#table-title")).to_have_text("Devices")
    await expect(screen.locator("#live")).to_have_text("Live")
    await expect(screen.locator("#town-switch button").nth(2)).to_have_text("Hoi An")
    await screen.reload()
    await expect(screen.locator("#table-title")).to_have_text("Devices")


async def test_table_and_map_show_the_devices_the_api_has(screen: Page, client: httpx.AsyncClient) -> None:
    grid, map_ = screen.locator("#grid"), screen.locator("#map")
    for town in (None, "tam-ky", "hoi-an", "dien-ban"):
        await screen.locator(f'#town-switch [data-town="{town or ""}"]').click()
        items = await all_items(client, "/v1/devices", **({"town": town} if town else {}))
        ids = {item["id"] for item in items if item["state"] != "retired"}
        await expect(grid).to_have_attribute("data-count", str(len(ids)))
        await expect(map_).to_have_attribute("data-markers", str(len(ids)))
        rows = screen.locator("tr[data-device]")
        shown = {await rows.nth(n).get_attribute("data-device") for n in range(await rows.count())}
        assert shown == ids


async def test_the_cards_count_devices_by_state_as_the_api_does(screen: Page, client: httpx.AsyncClient) -> None:
    for town in (await client.get("/v1/towns")).json()["items"]:
        card = screen.locator(f"article[data-town={town['id']}]")
        for state in ("online", "stale", "offline", "never-seen"):
            chip = card.locator(f"[data-state={state}]")
            await expect(chip).to_have_attribute("data-count", str(town["devices"][state]))


async def test_a_figure_that_nothing_observed_is_missing_and_never_zero(screen: Page) -> None:
    noise = screen.locator("article[data-town=dien-ban] [data-property=sound-level-equivalent]")
    await expect(noise).to_contain_text("không có số liệu")
    await expect(noise).to_have_attribute("data-value", "")
    pm25 = screen.locator("article[data-town=hoi-an] [data-property=pm25]")
    await expect(pm25).to_have_attribute("data-value", "31.2")
    await expect(pm25).to_contain_text("31,2")
    await expect(pm25.locator(".age")).to_have_text(re.compile(r"\d+ (giây|phút)|vừa xong"))


async def test_the_situation_shows_what_the_api_makes_of_the_readings(screen: Page, client: httpx.AsyncClient) -> None:
    await screen.locator('#town-switch [data-town="hoi-an"]').click()
    overview = (await client.get("/v1/towns/hoi-an/overview")).raise_for_status().json()
    figures = {figure["id"]: figure for domain in overview["domains"] for figure in domain["figures"]}
    lines = screen.locator("#situation [data-figure]")
    await expect(lines).to_have_count(len(figures))
    for name in ("vn-aqi-hour", "lamps-faulty"):
        line = screen.locator(f"#situation [id^=figure-hoi-an-][data-figure={name}]")
        await expect(line).to_contain_text(figures[name]["name"]["vi"])
        if figures[name]["value"] is None:
            await expect(line).to_contain_text(figures[name]["reason_text"]["vi"])
            await expect(line.locator(".figure")).to_have_text("\u2013")


async def test_a_press_on_a_figure_lists_its_sites_and_on_a_site_opens_its_device(
    screen: Page, client: httpx.AsyncClient
) -> None:
    await screen.locator('#town-switch [data-town="hoi-an"]').click()
    ranked = await client.get("/v1/towns/hoi-an/environment/ranking", params={"by": "flood-alarm", "limit": 8})
    sites = [item["site"] for item in ranked.raise_for_status().json()["items"]]
    assert sites
    flood = screen.locator("#figure-hoi-an-environment-flood-alarm")  # until the switch is done, other towns' are there
    await flood.click()
    await expect(flood).to_have_attribute("aria-expanded", "true")
    await expect(screen.locator(".ranked-site .line")).to_have_text([site["name"] for site in sites])
    await screen.locator(".ranked-site").first.click()
    await expect(screen.locator("#detail")).to_be_visible()
    await expect(screen.locator("#site-figures [data-figure=water-level]")).to_contain_text("1,25 m")


async def test_a_domains_day_is_shown_with_how_each_figure_was_obtained(
    screen: Page, client: httpx.AsyncClient
) -> None:
    await expect(screen.locator("#day")).to_be_hidden()
    await screen.locator('#town-switch [data-town="hoi-an"]').click()
    await screen.locator("#day-title").click()
    for domain in ("environment", "traffic"):
        await screen.locator(f"[data-day-domain={domain}]").click()
        await expect(screen.locator("#day-figures")).to_have_attribute("data-domain", domain)
        answer = (await client.get(f"/v1/towns/hoi-an/{domain}/summary")).raise_for_status().json()
        assert answer["figures"]
        for figure in answer["figures"]:
            line = screen.locator(f"#day-figures [data-figure={figure['id']}]")
            await expect(line).to_contain_text(figure["name"]["vi"])
            origin = {"observed": "Số đo", "window-statistics": "Thống kê theo cửa sổ", "index": "Chỉ số"}
            await expect(line.locator(".origin")).to_contain_text(origin[figure["obtained"]])
            if figure["formula"]:
                await expect(line.locator(".origin")).to_contain_text(figure["formula"])
    await screen.locator("#day-date").select_option(index=1)
    yesterday = (datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) - timedelta(days=1)).date().isoformat()
    await expect(screen.locator("#day-figures")).to_have_attribute("data-date", yesterday)
    await expect(screen.locator("#day")).to_contain_text("Trọn ngày")


async def test_filters_and_a_search_without_accents_narrow_table_and_map_alike(screen: Page) -> None:
    grid, map_ = screen.locator("#grid"), screen.locator("#map")
    await screen.locator("#search").fill("noi " + AIR)
    await expect(grid).to_have_attribute("data-count", "1")
    await expect(map_).to_have_attribute("data-markers", "1")
    await screen.locator("#clear-filter").click()
    await screen.locator("#filter-state").select_option("retired")
    await expect(grid).to_have_attribute("data-count", "1")
    await expect(screen.locator("tr[data-device]")).to_have_attribute("data-device", RETIRED)
    await screen.locator("#filter-state").select_option("")
    await screen.locator("#filter-domain").select_option("traffic")
    await expect(grid).to_have_attribute("data-count", "1")
    await expect(screen.locator("tr[data-device]")).to_have_attribute("data-device", COUNTER)
    await screen.locator("#clear-filter").click()
    await screen.locator("article[data-town=dien-ban] [data-state=offline]").click()
    await expect(grid).to_have_attribute("data-count", "1")
    await expect(screen.locator("tr[data-device]")).to_have_attribute("data-device", OFFLINE)


async def test_a_selected_device_shows_its_values_with_unit_time_and_age_and_a_chart(
    screen: Page, client: httpx.AsyncClient
) -> None:
    await screen.locator(f"tr[data-device={GAUGE}]").click()
    latest = (await client.get(f"/v1/devices/{GAUGE}/latest")).json()["items"]
    for value in latest:
        row = screen.locator(f'[data-datastream="{value["datastream"]}"]')
        await expect(row).to_have_attribute("data-value", f"{value['value']:g}")
        await expect(row.locator(".age")).to_have_text(re.compile(r"\d+ giây|vừa xong"))
        observed = datetime.fromisoformat(value["phenomenon_time"])
        assert abs((datetime.now(UTC) - observed).total_seconds()) < 60
    level = screen.locator(f'[data-datastream="{GAUGE}:water-level"]')
    await expect(level).to_contain_text("1,25 m")
    await expect(level.locator(".observed")).to_have_text(re.compile(r"\d\d:\d\d"))
    await expect(screen.locator("#detail .facts")).to_contain_text(re.compile(r"Pin12,6 V · (\d+ giây|vừa xong)"))
    await expect(screen.locator("#chart")).to_have_attribute("data-points", re.compile(r"^2[78]\d$"))
    await expect(screen.locator("#chart canvas")).to_be_visible()
    await screen.locator("[data-hours='168']").click()
    await expect(screen.locator("#chart")).to_have_attribute("data-points", re.compile(r"^\d+$"))


async def test_silence_flags_and_refusals_are_told_with_what_to_do(screen: Page) -> None:
    await screen.locator(f"tr[data-device={STALE}]").click()
    row = screen.locator(f'[data-datastream="{STALE}:pm25"]')
    await expect(row).to_have_attribute("data-stale", "true")
    await expect(row.locator(".stale-flag")).to_be_visible()
    await expect(screen.locator("#detail .state-line")).to_contain_text("Số liệu cũ")
    await expect(screen.locator("#refusals")).to_have_attribute("data-count", "0")
    await screen.locator(f"tr[data-device={AIR}]").click()
    await expect(screen.locator(f'[data-datastream="{AIR}:no2"] .flag')).to_have_text("báo lỗi")
    await expect(screen.locator("#refusals [data-reason=unknown-datastream] .cure")).to_be_visible()
    await screen.locator(f"tr[data-device={NEVER_SEEN}]").click()
    await expect(screen.locator("#detail")).to_contain_text("Thiết bị chưa có số đo nào")


async def test_a_live_change_is_on_the_page_within_two_seconds(screen: Page, seed: Seed) -> None:
    await screen.locator(f"tr[data-device={GAUGE}]").click()
    row = screen.locator(f'[data-datastream="{GAUGE}:water-level"]')
    await expect(screen.locator("#chart")).to_have_attribute("data-points", re.compile(r"^2[78]\d$"))
    points = int(await screen.locator("#chart").get_attribute("data-points") or "0")
    await expect(row).to_have_attribute("data-value", "1.25")
    seed.observe(GAUGE, datetime.now(UTC), {"water-level": 1.57})
    await expect(row).to_have_attribute("data-value", "1.57", timeout=TWO_SECONDS_MS)
    await expect(screen.locator(f"tr[data-device={GAUGE}] .col-colValue")).to_contain_text("1,57 m")
    await screen.locator("#close-detail").click()
    await expect(screen.locator(f"[data-gauge={GAUGE}]")).to_contain_text("1,57 m")
    await screen.locator(f"[data-gauge={GAUGE}]").click()
    seed.observe(GAUGE, datetime.now(UTC), {"water-level": 1.6})
    await expect(row).to_have_attribute("data-value", "1.6", timeout=TWO_SECONDS_MS)
    await expect(screen.locator("#chart")).to_have_attribute("data-points", str(points + 2))


async def test_a_device_that_speaks_again_needs_attention_no_more(screen: Page, seed: Seed) -> None:
    await expect(screen.locator(f"[data-problem={OFFLINE}]")).to_be_visible()
    seed.observe(OFFLINE, datetime.now(UTC), {"water-level": 2.2})
    await expect(screen.locator(f"[data-problem={OFFLINE}]")).to_have_count(0, timeout=TWO_SECONDS_MS)
    await expect(screen.locator(f"tr[data-device={OFFLINE}]")).to_have_attribute("data-state", "online")


async def test_everything_is_reached_by_keyboard(screen: Page) -> None:
    for _ in range(60):
        await screen.keyboard.press("Tab")
        if await screen.evaluate("document.activeElement.id") == "grid":
            break
    else:
        pytest.fail("Tab never came to the table")
    active = screen.locator("tr.active")
    first = await active.get_attribute("data-device")
    await screen.keyboard.press("ArrowDown")
    await expect(active).not_to_have_attribute("data-device", first or "")
    second = await active.get_attribute("data-device")
    await screen.keyboard.press("Enter")
    await expect(screen.locator("#detail")).to_have_attribute("data-device", second or "")
    await expect(screen.locator("#detail-title")).to_be_focused()
    await screen.keyboard.press("Escape")
    await expect(screen.locator("#detail")).to_be_hidden()
    await expect(screen.locator("#grid")).to_be_focused()


@pytest.mark.parametrize("size", [(1366, 768), (390, 844)], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_axe_finds_nothing_serious(screen: Page, size: tuple[int, int], scheme: str) -> None:
    await screen.set_viewport_size({"width": size[0], "height": size[1]})
    await screen.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    for device in (None, AIR):
        if device:
            await screen.locator(f"tr[data-device={device}]").click()
            await expect(screen.locator("#refusals [data-reason]")).to_have_count(1)
        found = (await Axe().run(screen)).response["violations"]
        serious = [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in {"serious", "critical"}]
        assert serious == []
    assert await screen.evaluate("document.documentElement.scrollWidth") <= size[0]


async def test_without_a_log_in_the_page_asks_for_name_and_password(page: Page, database: Database, seed: Seed) -> None:
    add_account(seed, "an.nguyen", {"hoi-an": "viewer"})
    settings = make_settings(database.read_url, database_url=database.api_url)
    async with serve(settings):
        await page.goto(f"http://127.0.0.1:{settings.http_port}/")
        await expect(page.locator("#login")).to_be_visible()
        await expect(page.locator("tr[data-device]")).to_have_count(0)
        await expect(page.locator("#login-openid")).to_be_hidden()
        await page.locator("#user-name").fill("an.nguyen")
        await page.locator("#password").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#login-error")).to_have_text("Tên hoặc mật khẩu không đúng.")
        await page.locator("#password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#login")).to_be_hidden()
        # A person of Hoi An sees Hoi An alone.
        await expect(page.locator("tr[data-device]")).to_have_count(2)
        await expect(page.locator("#town-switch [data-town=tam-ky]")).to_have_count(0)
        await expect(page.locator("#banner-open")).to_be_hidden()
        await expect(page.locator(".work button")).to_have_count(0)
        await page.locator("#log-out").click()
        await expect(page.locator("#login")).to_be_visible()


async def test_a_cut_stream_is_said_aloud_and_mends_itself(page: Page, settings: ApiSettings, seed: Seed) -> None:
    async with serve(settings):
        await load(page, settings)
    await expect(page.locator("#banner-cut")).to_be_visible(timeout=TWO_SECONDS_MS)
    await expect(page.locator("#live")).to_have_text("Mất kết nối")
    seed.observe(GAUGE, datetime.now(UTC), {"water-level": 1.91})
    async with serve(settings):
        await expect(page.locator("#banner-cut")).to_be_hidden(timeout=15_000)
        await expect(page.locator(f"tr[data-device={GAUGE}] .col-colValue")).to_contain_text("1,91 m")
        await page.close()
