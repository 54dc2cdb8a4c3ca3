"""What every room knows about hardware: observed properties, units, device profiles, payload codecs, the registry.

The ground floor of the house: it imports nothing of the other packages.
"""
