"""Tests of the pages, as a real browser shows them."""
