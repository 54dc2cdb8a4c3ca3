from __future__ import annotations

from api.security import LoginBrake, TokenGuard

TOKEN = "a-token-for-the-tests-of-the-api"


def test_a_session_holds_until_it_expires_and_no_longer() -> None:
    clock = [1000.0]
    guard = TokenGuard(TOKEN, session_s=60, clock=lambda: clock[0])
    cookie = guard.new_session()

    clock[0] = 1059.0
    viewer = guard.session_viewer(cookie)
    clock[0] = 1060.0

    assert viewer is not None
    assert viewer.expires_s == 1060.0
    assert guard.session_viewer(cookie) is None


def test_a_new_token_ends_every_session() -> None:
    cookie = TokenGuard(TOKEN, session_s=60).new_session()

    assert TokenGuard(TOKEN, session_s=60).session_viewer(cookie) is not None
    assert TokenGuard(TOKEN + "2", session_s=60).session_viewer(cookie) is None
    assert TokenGuard(None, session_s=60).session_viewer(cookie) is None


def test_what_is_no_cookie_of_ours_is_nobody() -> None:
    guard = TokenGuard(TOKEN, session_s=60)
    for cookie in ("", "x", "ä", "=" * 80, "A" * 4096, guard.new_session()[:-4], guard.new_session() + "AAAA"):
        assert guard.session_viewer(cookie) is None


def test_only_the_token_is_known() -> None:
    guard = TokenGuard(TOKEN, session_s=60)

    assert guard.knows(TOKEN)
    assert not any(guard.knows(other) for other in ("", TOKEN[:-1], TOKEN + " ", "\udcff"))
    assert not TokenGuard(None, session_s=60).knows("")


def test_an_address_waits_after_its_failures_until_the_span_has_passed() -> None:
    clock = [0.0]
    brake = LoginBrake(failures=3, span_s=60, clock=lambda: clock[0])
    for _ in range(3):
        assert brake.wait_s("a") == 0
        brake.failed("a")

    assert brake.wait_s("a") == 60
    assert brake.wait_s("b") == 0
    clock[0] = 61.0
    assert brake.wait_s("a") == 0
    brake.failed("a")
    assert brake.wait_s("a") == 0


def test_only_a_bounded_number_of_addresses_is_remembered() -> None:
    brake = LoginBrake(failures=1, addresses=100)
    for number in range(1000):
        brake.failed(str(number))

    assert len(brake._failed) == 100
    assert brake.wait_s("999") > 0
    assert brake.wait_s("0") == 0
