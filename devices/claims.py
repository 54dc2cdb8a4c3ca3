"""Claim codes: what is printed on a device's label, and what an installer types or scans to get it into service.

Eight random characters and two that check them, of the 32 that Crockford's Base32 keeps apart by eye
(https://www.crockford.com/base32.html): a mistyped or two exchanged neighbouring characters are noticed at once. A code
names a device, it opens nothing by itself: whoever claims must be logged in and be allowed to.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from devices.change import ChangeError
from devices.identity.credentials import issue_missing
from devices.refusal_texts import RefusalCode
from devices.steps import Steps, ask
from devices.wording import worded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devices.identity.credentials import IssuedPassword

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_CHARACTERS: Final = 8
_CHECK_PRIME: Final = 1_021
"""Largest prime of two characters: a change of one character, or of two exchanged neighbours, never divides by it."""
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


@dataclass(frozen=True, slots=True)
class Claimed:
    """A device that was claimed."""

    device_id: str
    town_id: str
    issued: IssuedPassword | None  # shown this once; None: it has a credential already

    @property
    def noted(self) -> dict[str, Any]:
        """What the audit is told: which credential was issued, never its password."""
        return {"credential": str(self.issued.credential_id) if self.issued else None}


def new_code() -> str:
    """A new code, ten characters."""
    number = secrets.randbelow(len(_ALPHABET) ** _RANDOM_CHARACTERS)
    return _written(number, _RANDOM_CHARACTERS) + _written(_check(number), 2)


def shown_code(code: str) -> str:
    """A code as people read it, in groups: `7K3M-9PQX-4T`."""
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def read_code(text: str) -> str | None:
    """The code somebody typed or scanned; None where it cannot be one: wrong length, letter or check.

    Small letters, spaces and hyphens do not matter; O is read as 0, I and L as 1.
    """
    code = text.strip().removeprefix("THUBON:").upper().translate(_READ_AS)
    if len(code) != _RANDOM_CHARACTERS + 2 or any(character not in _ALPHABET for character in code):
        return None
    number = _number(code[:_RANDOM_CHARACTERS])
    return code if _written(_check(number), 2) == code[_RANDOM_CHARACTERS:] else None


def give_codes(device_ids: Sequence[str]) -> Steps[None]:
    """Give codes to those of some devices that have none."""
    if device_ids:
        yield from ask("set_missing_claims", device_ids=list(device_ids), codes=[new_code() for _ in device_ids])


def give_new_code(device_id: str) -> Steps[str]:
    """Void a device's code and give it a new one, to be claimed anew."""
    code = new_code()
    yield from ask("set_claim", device_id=device_id, code=code)
    return code


def claim(text: str, person: str) -> Steps[Claimed]:
    """Claim the device of a code; where it has no credential in force, a password is issued.

    Args:
        text: as typed or scanned.
        person: who claims.

    Raises:
        ChangeError: no code, unknown, claimed already, or of a retired device.
    """
    code = read_code(text)
    if code is None:
        raise ChangeError("wrong", "code", worded(RefusalCode.CLAIM_CODE_MISREAD))
    rows = yield from ask("claim_record", code=code)
    if not rows:
        raise ChangeError("unknown", "code", worded(RefusalCode.CLAIM_CODE_UNKNOWN))
    record = rows[0]
    if record["retired_time"] is not None:
        retired = worded(RefusalCode.CLAIMED_DEVICE_RETIRED, device=record["device_id"])
        raise ChangeError("conflict", "code", retired)
    if record["claimed_time"] is not None:
        when, by = record["claimed_time"].isoformat(timespec="seconds"), record["claimed_by"]
        claimed = worded(RefusalCode.CLAIMED_ALREADY, device=record["device_id"], by=by, when=when)
        raise ChangeError("conflict", "code", claimed)
    yield from ask("mark_claimed", code=code, person=person)
    issued = yield from issue_missing([record["device_id"]], by=person)
    return Claimed(record["device_id"], record["town_id"], issued[0] if issued else None)


InstallationStep = Literal["created", "labelled", "claimed", "heard", "done"]


def installation_step(row: Mapping[str, Any]) -> InstallationStep:
    """Which step of its installation a device has reached: `created`, `labelled`, `claimed`, `heard`, `done`.

    Args:
        row: of `installation`. Heard: it said a status word or sent what was refused; done: a reading was stored.
    """
    if row["received_time"] is not None:
        return "done"
    if row["word"] is not None or row["refused_time"] is not None:
        return "heard"
    if row["claimed_time"] is not None:
        return "claimed"
    return "labelled" if row["code_time"] is not None else "created"


def _check(number: int) -> int:
    return number % _CHECK_PRIME


def _written(number: int, characters: int) -> str:
    return "".join(_ALPHABET[number >> 5 * at & 31] for at in reversed(range(characters)))


def _number(text: str) -> int:
    number = 0
    for character in text:
        number = number * 32 + _ALPHABET.index(character)
    return number
