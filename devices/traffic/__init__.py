"""What the traffic domain computes of observations: pure functions over arrays, with the tables they need as data."""
