"""Simulations: random histories from one seed, answered by two implementations that must agree."""
