"""Tests that read the source: the habits of this project, held by machine."""
