"""Tests of what is shipped: the wheel, installed where there is no checkout."""
