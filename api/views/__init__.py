"""One module a resource: parameters in, rows read, the contract's shape out."""
