"""What an administrator does with the page: accounts, keys, the audit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.integration.api.conftest import client_of, make_settings
from tests.integration.api.people import add_account, add_key
from tests.integration.api.seed import ago

if TYPE_CHECKING:
    from api.settings import ApiSettings
    from tests.browser.conftest import Enter
    from tests.fix_database import Database
    from tests.integration.api.seed import Seed


@pytest.fixture
def settings(database: Database, seed: Seed) -> ApiSettings:
    """Settings of an API that asks for a log-in; somebody of another town has an account, a program a key."""
    add_account(seed, "binh.tran", {"tam-ky": "viewer"})
    add_key(seed, "school-42", {"hoi-an": "viewer"})
    return make_settings(database.read_url, database_url=database.api_url)


async def test_an_account_is_made_changed_and_disabled(enter: Enter, settings: ApiSettings) -> None:
    page = await enter("administrator")
    await page.locator("#open-admin").click()
    # Of other towns one knows nobody, and can grant nothing.
    await expect(page.locator("#user-list > li")).to_have_count(1)
    await page.locator("#user-new-open").click()
    await expect(page.locator("#user-new select")).to_have_count(1)
    await page.locator("#user-new-name").fill("binh.tran")
    await page.locator("#user-new-display").fill("Trần Bình")
    await page.locator("#user-new-password").fill("sông Thu Bồn 1964")
    await page.locator("#user-new-grant-hoi-an").select_option("operator")
    await page.locator("#user-new button[type=submit]").click()
    await expect(page.locator("#user-new-error")).to_have_text("Tên đăng nhập này không dùng được; hãy chọn tên khác.")
    await page.locator("#user-new-name").fill("chi.le")
    await page.locator("#user-new button[type=submit]").click()
    row = page.locator("[data-user='chi.le']")
    await expect(row).to_contain_text("Hội An: vận hành viên")
    login = {"name": "chi.le", "password": "sông Thu Bồn 1964"}
    async with client_of(settings, token=None) as client:
        assert (await client.post("/v1/session", json=login)).status_code == 204

        await row.locator("button.edit").click()
        await row.locator("select").select_option("engineer")
        await row.locator("input[type=checkbox]").check()
        await row.locator("button[type=submit]").click()
        await expect(row).to_have_attribute("data-disabled", "true")
        await expect(row).to_contain_text("Hội An: kỹ sư")
        await expect(row).to_contain_text("khoá từ")
        assert (await client.post("/v1/session", json=login)).status_code == 401


async def test_a_key_is_told_once_works_and_ends_when_it_is_revoked(enter: Enter, settings: ApiSettings) -> None:
    page = await enter("administrator")
    await page.locator("#open-admin").click()
    await page.locator("#admin [data-part=keys]").click()
    await expect(page.locator("[data-key=school-42]")).to_contain_text("chưa dùng")
    await page.locator("#key-new-open").click()
    await page.locator("#key-name").fill("bệnh viện 7")
    await page.locator("#key-grant-hoi-an").select_option("viewer")
    await page.locator("#key-new button[type=submit]").click()
    key = await page.locator("#key-told").inner_text()
    row = page.locator("[data-key='bệnh viện 7']")
    await expect(row).to_contain_text("Hội An: người xem")
    async with client_of(settings, token=key) as client:
        assert [town["id"] for town in (await client.get("/v1/towns")).json()["items"]] == ["hoi-an"]
        await row.locator("button").click()
        await row.locator("button").click()
        await expect(row).to_have_attribute("data-ended", "true")
        await expect(row.locator("button")).to_have_count(0)
        assert (await client.get("/v1/towns")).status_code == 401
    await page.locator("#admin [data-part=users]").click()
    await page.locator("#admin [data-part=keys]").click()
    await expect(row).to_be_visible()
    await expect(page.locator("#key-told")).to_have_count(0)


async def test_the_audit_is_searched_and_downloaded(enter: Enter, settings: ApiSettings) -> None:
    async with client_of(settings) as client:
        for name in ("one", "two"):
            wish = {"name": name, "grants": {"hoi-an": "viewer"}, "expires_time": ago(days=-30).isoformat()}
            assert (await client.post("/v1/api-keys", json=wish)).status_code == 201
    page = await enter("administrator")
    await page.locator("#open-admin").click()
    await page.locator("#admin [data-part=audit]").click()
    entries = page.locator("#audit-list > li")
    await expect(page.locator("#audit-list [data-action='api-key.create']")).to_have_count(2)
    await page.locator("#audit-text").fill("two")
    await page.keyboard.press("Enter")
    await expect(entries).to_have_count(1)
    await entries.locator("summary").click()
    await expect(entries.locator("pre")).to_contain_text('"name": "two"')
    async with page.expect_download() as download:
        await page.locator("#audit-download").click()
    text = (await (await download.value).path()).read_text()
    assert re.findall("api-key.create", text) == ["api-key.create"]
    await page.locator("#audit-text").fill("nothing of the kind")
    await page.keyboard.press("Enter")
    await expect(page.locator("#audit")).to_contain_text("Không có mục nào.")


@pytest.mark.parametrize(("size", "scheme"), [((1366, 768), "dark"), ((390, 844), "light")], ids=["desk", "phone"])
async def test_axe_finds_nothing_serious_in_what_an_administrator_opens(
    enter: Enter, size: tuple[int, int], scheme: str
) -> None:
    page = await enter("administrator")
    await page.set_viewport_size({"width": size[0], "height": size[1]})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    ready = {"knocks": "#knock-refused", "new": "#new-site option:nth-child(3)", "pole": "#claim-code",
             "users": "[data-user]", "keys": "#key-new-open", "audit": "#audit-download"}  # fmt: skip
    for sheet, parts in (("install", ("knocks", "new", "pole")), ("admin", ("users", "keys", "audit"))):
        await page.locator(f"#open-{sheet}").click()
        for part in parts:
            await page.locator(f"#{sheet} [data-part={part}]").click()
            await page.locator(ready[part]).first.wait_for(state="attached")
            for folded in await page.locator(f"#{sheet} .folded > summary").all():
                await folded.click()
            found = (await Axe().run(page)).response["violations"]
            serious = [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in {"serious", "critical"}]
            assert (part, serious) == (part, [])
            wide = await page.evaluate("document.querySelector('dialog[open]').scrollWidth")
            assert (part, wide <= size[0]) == (part, True)
        await page.locator(f"#{sheet}-close").click()
    await page.locator("[data-language=en]").click()  # its words are longer
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
