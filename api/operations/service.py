"""Boards of the towns' domains, kept fresh while somebody looks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from api.cache import Kept, Moment, make_room
from api.grants import everywhere, only
from api.operations.aggregate import Asked, read_aggregate
from api.operations.board import make_board
from api.operations.domains import INDICES
from api.operations.fleet import read_fleet, read_version
from api.operations.present import read_present
from api.operations.summary import Day, day_span
from devices.traffic.pcu import DEFAULT_SET

if TYPE_CHECKING:
    from datetime import date

    from api.database import Database
    from api.operations.board import Board
    from api.operations.fleet import Fleet
    from api.operations.present import Present
    from api.operations.schemas import TownStatistics
    from api.operations.summary import Summary
    from devices.models import Domain

BOARD_S: Final = 12.0
"""How old a view of a domain is at most."""
INPUTS_S: Final = 30.0
"""How old the part of it is that comes out of windows of the past."""
SUMMARY_S: Final = 90.0
_SUMMARIES_KEPT: Final = 32
AGGREGATE_S: Final = 1.5
"""How old an aggregate is at most: a reading is in it within two seconds of its commit."""
_AGGREGATES_KEPT: Final = 256


class Operations:
    """What the operations views are cut from.

    Args:
        database: to read from.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = Moment(self._read_version, 1.0)
        self._inputs: dict[tuple[str, Domain], Kept[Any]] = {}
        self._boards: dict[tuple[str, Domain, str | None], Kept[Board]] = {}
        self._summaries: dict[tuple[str, Domain, date, str | None], Kept[Summary]] = {}
        self._aggregates: dict[Asked, Kept[TownStatistics]] = {}
        self._fleet_now: dict[tuple[str, Domain], Fleet] = {}

    async def board(self, town: str, domain: Domain, pcu_set: str | None = None) -> Board:
        """A domain of a town, some seconds old at most.

        Callers have made sure that the town exists and may be seen, and of traffic the coefficients (None: the default
        set): what is kept is bounded by the towns and the sets there are.
        """
        key = (town, domain, pcu_set)
        if key not in self._boards:
            self._boards[key] = Kept(lambda: self._make_board(town, domain, pcu_set), BOARD_S, busy_s=3 * BOARD_S)
        with only(town):  # it is kept for all who may see it
            return await self._boards[key].get()

    async def fleet(self, town: str, domain: Domain) -> Fleet:
        """The devices of a domain of a town as the registry has them, some seconds old at most."""
        with everywhere():
            version = await self._version.get()
        fleet = self._fleet_now.get((town, domain))
        if fleet is None or fleet.version != version:
            with everywhere():
                fleet = await read_fleet(self._database, town, domain, version)
            self._fleet_now[town, domain] = fleet
        return fleet

    async def present(self, town: str, domain: Domain) -> tuple[Fleet, Present]:
        """What the devices of a domain of a town said last, read now; see `board`."""
        fleet = await self.fleet(town, domain)
        with only(town):
            return fleet, await read_present(self._database, town, domain, fleet)

    async def summary(self, town: str, domain: Domain, day: date, pcu_set: str | None = None) -> Summary:
        """A domain's local day in a town; see `board`."""
        key = (town, domain, day, pcu_set)
        if key not in self._summaries:
            make_room(self._summaries, _SUMMARIES_KEPT)
            self._summaries[key] = Kept(
                lambda: self._make_summary(town, domain, day, pcu_set), SUMMARY_S, busy_s=3 * SUMMARY_S
            )
        with only(town):
            return await self._summaries[key].get()

    async def aggregate(self, asked: Asked) -> TownStatistics:
        """One aggregate over many datastreams, `AGGREGATE_S` old at most.

        Args:
            asked: towns that exist and may be seen.
        """
        if asked not in self._aggregates:
            make_room(self._aggregates, _AGGREGATES_KEPT)
            self._aggregates[asked] = Kept(lambda: read_aggregate(self._database, asked), AGGREGATE_S)
        with everywhere():  # what was asked for names its towns
            return await self._aggregates[asked].get()

    async def close(self) -> None:
        """End what is being worked out."""
        kept_of_all = (self._boards, self._inputs, self._summaries, self._aggregates)
        for kept in (value for values in kept_of_all for value in values.values()):
            await kept.close()

    async def _read_version(self) -> int:
        return await read_version(self._database)

    async def _make_board(self, town: str, domain: Domain, pcu_set: str | None) -> Board:
        fleet = await self.fleet(town, domain)
        key = (town, domain)
        if key not in self._inputs:
            self._inputs[key] = Kept(lambda: self._read_inputs(town, domain), INPUTS_S, busy_s=3 * INPUTS_S)
        of, inputs = await self._inputs[key].get()
        if of is not fleet:
            # The registry changed since: positions would not fit.
            of, inputs = await self._read_inputs(town, domain)
            fleet = of
        if pcu_set is not None:
            inputs = replace(inputs, pcu_set=pcu_set)
        present = await read_present(self._database, town, domain, fleet)
        generated = datetime.now(UTC)
        return await asyncio.to_thread(
            lambda: make_board(town, domain, generated, fleet, present, INDICES[domain].figures(fleet, present, inputs))
        )

    async def _read_inputs(self, town: str, domain: Domain) -> tuple[Fleet, Any]:
        fleet = await self.fleet(town, domain)
        return fleet, await INDICES[domain].read(self._database, fleet, time.time_ns() // 1_000)

    async def _make_summary(self, town: str, domain: Domain, day: date, pcu_set: str | None) -> Summary:
        fleet = await self.fleet(town, domain)
        start, end = day_span(day)
        asked = Day(self._database, fleet, day, start, end, datetime.now(UTC), pcu_set or DEFAULT_SET)
        return await INDICES[domain].summary(asked)
