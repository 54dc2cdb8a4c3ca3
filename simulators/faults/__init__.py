"""What goes wrong with simulated devices, by name and chance.

Every decision is a draw that belongs to (seed, rule, device, time): the same scenario does the same wrong at the same
moments, however it is cut into runs. rules.py is what a scenario file may say, plan.py what it means for one device,
readings.py what is done to what a device measures, delivery.py what is done to its messages on their way.
"""
