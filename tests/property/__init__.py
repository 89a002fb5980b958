"""Tests of laws that hold for any input, on inputs that are made up."""
