"""`edge run` under a service manager: the unit, and what the manager is told."""
