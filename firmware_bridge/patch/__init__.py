"""The virtual patch: a wearable ECG device in software, deterministic by seed."""
