"""What a run claims: each reading it sent, with what has to become of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulators.judge.payloads import tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulators.journal import Sent
    from simulators.judge.payloads import Bounds, Registered, Told

FATES: Final = ("stored", "duplicate", "refused", "null", "lost", "unsure", "missing", "wrong")
"""What may become of a claim: the last two are deviations. `unsure`: never acknowledged, and it is not there."""
NOT_TAKEN: Final = "dropped-by-broker"
_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000


@dataclass(slots=True)
class Claim:
    """One reading that was sent, or several of one message that are refused together."""

    message: Sent
    device: str
    name: str
    value: float | None
    time_us: int | None
    quality: int
    reasons: tuple[str, ...]  # for which it may be refused
    may_store: bool
    readings: int = 1
    fate: str = ""

    @property
    def possible(self) -> bool:
        """Whether it may have reached the platform."""
        return not (self.message.lost or self.message.refused_by_broker or self.message.expect == NOT_TAKEN)

    @property
    def certain(self) -> bool:
        """Whether the broker promised to hand it on."""
        return self.possible and self.message.qos > 0 and self.message.acknowledged_us is not None

    def __str__(self) -> str:
        """Which one, for people."""
        stream = f"{self.device}:{self.name}" if self.name else self.device or self.message.topic
        return f"message {self.message.number}, {stream} at {self.time_us} us"


@dataclass(slots=True)
class Claims:
    """All claims of a run."""

    by_device: dict[str, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    refused: list[Claim] = field(default_factory=list)  # cannot be stored

    def all(self) -> Iterable[Claim]:
        """Every claim once."""
        for claims in self.by_device.values():
            yield from claims
        yield from self.refused


def claims_of(messages: Iterable[Sent], devices: Mapping[str, Registered], bounds: Bounds) -> Claims:
    """Take all messages apart, in the order in which they were sent."""
    claims = Claims()
    for message in messages:
        for told in tell(message.topic, message.payload, retained=message.retain, devices=devices, bounds=bounds):
            claim = _claim(message, told, devices, bounds)
            if claim.may_store or told.reason is None:
                claims.by_device[claim.device].append(claim)
            else:
                claims.refused.append(claim)
    for device in list(claims.by_device):
        kept = claims.by_device[device]
        _limit(kept, bounds)
        claims.refused += [claim for claim in kept if claim.reasons and not claim.may_store]
        claims.by_device[device] = [claim for claim in kept if not claim.reasons or claim.may_store]
    return claims


def _claim(message: Sent, told: Told, devices: Mapping[str, Registered], bounds: Bounds) -> Claim:
    claim = Claim(
        message=message,
        device=told.device,
        name=told.name,
        value=told.value,
        time_us=told.time_us,
        quality=told.quality,
        reasons=() if told.reason is None else (told.reason,),
        may_store=told.reason is None and told.value is not None,
        readings=told.readings,
    )
    if claim.may_store and told.value is not None:
        device = devices[told.device]
        stream = device.streams[told.name]
        if told.time_us is not None:
            _judge_time(claim, told.time_us, device, bounds)
        if claim.may_store and not stream.lower <= told.value <= stream.upper:
            claim.reasons, claim.may_store = (*claim.reasons, "out-of-bounds"), False
    return claim


def _judge_time(claim: Claim, time_us: int, device: Registered, bounds: Bounds) -> None:
    sent_us = claim.message.sent_us
    if time_us > sent_us + bounds.ahead_s * 1e6:
        # The platform compares with the receipt, which comes later: it may be just in time.
        claim.reasons = ("clock-ahead",)
    elif time_us < sent_us - bounds.retention_days * _DAY_US:
        claim.reasons, claim.may_store = ("too-old",), False
    elif time_us < device.commissioned_us:
        claim.reasons, claim.may_store = ("clock-behind",), False


def _limit(claims: list[Claim], bounds: Bounds) -> None:
    """What is above a device's share of a minute of phenomenon time may be refused."""
    minutes: Counter[int] = Counter()
    for claim in claims:
        if claim.may_store and claim.possible:
            minutes[_minute(claim)] += 1
    full = {minute for minute, readings in minutes.items() if readings > bounds.readings_a_minute}
    if full:
        for claim in claims:
            if claim.may_store and _minute(claim) in full:
                claim.reasons = (*claim.reasons, "rate-limited")


def _minute(claim: Claim) -> int:
    return (claim.time_us if claim.time_us is not None else claim.message.sent_us) // _MINUTE_US
