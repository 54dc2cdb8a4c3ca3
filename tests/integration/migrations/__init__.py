"""The schema on real servers: TimescaleDB and plain PostgreSQL."""
