"""From the physics of a place to what a device of a profile sends: the names, units and rounding of its hardware.

One class a device profile of the catalogue. `observe` gives unrounded values; `DECIMALS` the digits the hardware sends.
Like the signals an instrument describes one device, or many of its class at once (see `stacked`).
"""

from simulators.instruments.environment import (
    AirSensor,
    AirStation,
    FloodSensor,
    NoiseMeter,
    RainGauge,
    RiverGauge,
    UvStation,
    WeatherStation,
)
from simulators.instruments.lighting import FeederMeter, LampController, LightingCabinet, MotionLuminaire
from simulators.instruments.station import Instrument, Station, ValuesByName, observe_rounded
from simulators.instruments.traffic import CameraCounter, ParkingSensor, SignalController, TrafficCounter

__all__ = [
    "AirSensor",
    "AirStation",
    "CameraCounter",
    "FeederMeter",
    "FloodSensor",
    "Instrument",
    "LampController",
    "LightingCabinet",
    "MotionLuminaire",
    "NoiseMeter",
    "ParkingSensor",
    "RainGauge",
    "RiverGauge",
    "SignalController",
    "Station",
    "TrafficCounter",
    "UvStation",
    "ValuesByName",
    "WeatherStation",
    "observe_rounded",
]
