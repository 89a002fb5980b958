"""Loads the options and fixtures that every kind of test shares."""

pytest_plugins = ("tests.options", "tests.broker_fixtures", "tests.reports")
