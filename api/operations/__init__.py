"""What the operations views show: devices and observations of a town as columns, indices of each domain, and shapes."""
