"""Tests of one part at a time, with plain values."""
