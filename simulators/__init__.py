"""The three towns in simulation: signals -> profiles -> fleet -> messages -> publisher.

scenario, gazetteer --> siting --> fleet --> parcels (messages) --> publisher --> broker
|                     |                      |
signals/              profiles               pace, run
"""
