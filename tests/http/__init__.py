"""Tests of the HTTP service: over real connections to a real server."""
