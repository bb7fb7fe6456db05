"""How the service fares: for operators, not about patients."""
