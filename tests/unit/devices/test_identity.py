"""Accounts of the broker as text, and what is read of certificates."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.identity.accounts import compare, digest, next_end
from devices.identity.certificates import CertificateError, read_certificate, read_ends
from devices.identity.files import AccountsFile, read_state
from devices.identity.passwords import make_password
from tools.development_ca import make_authority, make_device, make_server

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = st.text("abc", min_size=1, max_size=2)
_ACCOUNTS = st.dictionaries(_NAMES, st.sampled_from("xyz"), max_size=8).map(
    lambda found: {name: f"{name} hoi-an@0 {end}" for name, end in found.items()}
)


def _obey(held: dict[str, str], lines: tuple[str, ...]) -> dict[str, str]:
    """What a broker holds after these lines, read one by one."""
    after = dict(held)
    for line in lines:
        sign, _, rest = line.partition(" ")
        if sign == "+":
            after[rest.split()[0]] = rest
        else:
            del after[rest]
    return after


@given(_ACCOUNTS, _ACCOUNTS)
def test_a_change_brings_what_is_held_to_what_is_wanted_and_names_nothing_else(
    wanted: dict[str, str], held: dict[str, str]
) -> None:
    change = compare(wanted, held)
    assert _obey(held, change.lines) == wanted
    touched = {line.split()[1] for line in change.lines}
    assert touched == {name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name)}


@given(_ACCOUNTS)
def test_the_digest_is_the_sum_of_the_lines_whatever_their_order(accounts: dict[str, str]) -> None:
    total = 0
    for line in accounts.values():
        for at, byte in enumerate(hashlib.sha256(line.encode()).digest()[:8]):
            total += byte << (8 * (7 - at))
    assert digest(accounts.values()) == f"{total % (1 << 64):016x}"
    assert digest(reversed(accounts.values())) == digest(accounts.values())


def test_the_next_end_is_the_first_one_to_come_of_towns_and_secrets() -> None:
    salt, key = "1" * 32, "2" * 64
    lines = [
        f"a-1 hoi-an@0,tam-ky@500 p:{salt}:{key}:300,c:{key}:0",
        f"b-1 hoi-an@0 c:{key}:200",
        "c-2000 hoi-an@0 -",
    ]
    assert next_end(lines, now_s=0) == 200
    assert next_end(lines, now_s=200) == 300
    assert next_end(lines, now_s=301.5) == 500
    assert next_end(lines, now_s=500) is None


def test_passwords_are_long_and_never_alike() -> None:
    made = [make_password() for _ in range(1_000)]
    assert len({each.text for each in made}) == len({each.salt for each in made}) == 1_000
    assert {len(each.text) for each in made} == {27}
    assert made[0].text not in repr(made[0])


def test_a_file_that_somebody_touched_is_noticed(tmp_path: Path) -> None:
    file = AccountsFile(tmp_path / "accounts")
    assert file.touched()
    token = file.write(["a-1 hoi-an@0 -"])
    assert not file.touched()
    second = file.append(["- a-1"])
    assert token != second
    assert not file.touched()
    text = (tmp_path / "accounts").read_text()
    assert text == f"thubon-accounts 1\n+ a-1 hoi-an@0 -\n= {token}\n- a-1\n= {second}\n"
    with (tmp_path / "accounts").open("a") as other:
        other.write("+ intruder-1 hoi-an@0 -\n")
    assert file.touched()
    (tmp_path / "accounts").unlink()
    assert file.touched()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": 1}', '{"token": "a", "accounts": "x"}'])
def test_a_state_that_says_nothing_sensible_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").write_text(text)
    assert read_state(tmp_path / "state") is None
    assert read_state(tmp_path / "nowhere") is None


def test_certificates_are_read_for_their_device_serial_and_end(tmp_path: Path) -> None:
    make_authority(tmp_path)
    make_server(tmp_path, ["localhost"], 10)
    make_device(tmp_path, "lac-5", 20)
    now = datetime.now(UTC)
    pem = (tmp_path / "lac-5.crt").read_bytes()
    found = read_certificate(pem, now=now)
    assert found.device_id == "lac-5"
    assert timedelta(days=19.9) < found.ends - now < timedelta(days=20.1)
    assert len(found.digest) == 32
    (end,) = read_ends((tmp_path / "server.crt").read_bytes())
    assert timedelta(days=9.9) < end - now < timedelta(days=10.1)
    for wrong, why in (
        (b"", "not a certificate"),
        (pem[:200], "not a certificate"),
        (pem + b" " * 20_000, "longer than"),
        ((tmp_path / "ca.crt").read_bytes(), "common name"),
    ):
        with pytest.raises(CertificateError, match=why):
            read_certificate(wrong, now=now)
    with pytest.raises(CertificateError, match="it ended at"):
        read_certificate(pem, now=now + timedelta(days=21))
