"""Tests, in folders named by kind: what they cost and what they prove, never after a package."""
