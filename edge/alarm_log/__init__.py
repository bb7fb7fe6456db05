"""The alarm log for people and other programs: conditions, their strips, and exports."""
