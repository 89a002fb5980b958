"""Loads the options that every kind of test shares; fixtures live in tests/conftest.py."""

pytest_plugins = ("tests.options",)
