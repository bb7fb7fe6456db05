"""The patients' monitors as devices in Home Assistant, by MQTT discovery."""
