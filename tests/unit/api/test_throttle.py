from __future__ import annotations

from api.throttle import Allowance, Brake


def test_an_address_waits_after_its_failures_until_the_span_has_passed() -> None:
    clock = [0.0]
    brake = Brake(failures=3, span_s=60, clock=lambda: clock[0])
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
    brake = Brake(failures=1, names=100)
    for number in range(1000):
        brake.failed(str(number))

    assert len(brake._failed) == 100
    assert brake.wait_s("999") > 0
    assert brake.wait_s("0") == 0


def test_an_address_has_a_minute_s_worth_of_requests_and_then_waits() -> None:
    clock = [0.0]
    allowance = Allowance(60, clock=lambda: clock[0])

    assert [allowance.take("a") for _ in range(61)] == [0.0] * 60 + [1.0]
    assert allowance.take("b") == 0.0
    clock[0] = 2.0
    assert [allowance.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]


def test_only_a_bounded_number_of_addresses_has_an_allowance() -> None:
    allowance = Allowance(60, addresses=10)
    for number in range(100):
        allowance.take(str(number))

    assert len(allowance._left) == 10
