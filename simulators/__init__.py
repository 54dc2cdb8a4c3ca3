"""The three towns in simulation: scenario -> fleet -> reports -> messages -> connections.

scenario, gazetteer --> siting, circuits --> fleet --> outlook --> parcels --> publisher --> client or light --> broker
    |                       |                             |            |           |
    events, faults      instruments <-- signals      stack, faults   messages   journal, pace, run

playing holds the commands `run` and `fleet`; judge/, replaying/ and loading/ those of their names.
"""
