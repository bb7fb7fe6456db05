"""Commands to a running monitor over MQTT: signed, counted, expiring, and denied by default."""
