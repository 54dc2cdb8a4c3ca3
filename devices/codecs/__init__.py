"""Payload family -> readings, one module a family. A codec knows profiles and bytes, not MQTT and no database."""
