"""Contract suites: one for each port, bound to every adapter of it."""
